// Which names hold credentials. Names are compared in lower case without separators, so `X-API-Key`, `x_api_key` and
// `xApiKey` are one. Whole names and endings, never "contains": `tokens_used`, `keyboard` and `author` must survive
// (pino, evlog and LogTape each had to take back a rule that was too broad).

const WHOLE_NAMES = [
  'password passwd pwd passphrase passcode passwordhash passwordconfirm passwordconfirmation secret secrets token',
  'apikey authorization proxyauthorization cookie cookies setcookie privatekey credential credentials sessionid',
  'sessionkey sid csrf xsrf pin cvv cvc cvv2 csc ssn cardnumber creditcard creditcardnumber pan otp totp jwt',
  'encryptionkey signingkey masterkey sshkey connectionstring mnemonic seedphrase dpop stripesignature',
  'xhubsignature xamzsignature xamzcredential awsaccesskeyid xgoogsignature xgoogcredential webhooksignature',
  'accountkey connectsid phpsessid',
]
  .join(' ')
  .split(' ');

const ENDINGS = [
  'password passwd passphrase passcode secret token apikey privatekey secretkey accesskey credentials sessionid',
  'authorization cookie encryptionkey signingkey cardnumber connectionstring',
  // Lists of them. `tokens` alone is a number of tokens, more often than not.
  'passwords secrets apikeys privatekeys secretkeys accesskeys accesstokens refreshtokens',
]
  .join(' ')
  .split(' ');

/** Where to go on in a list, not whom to let in. */
const HARMLESS = [
  'pagetoken',
  'nextpagetoken',
  'nexttoken',
  'continuationtoken',
  'synctoken',
  'cancellationtoken',
  'resumetoken',
];

/** Secret only as a parameter of a URL, since they are ordinary words elsewhere. */
const QUERY_NAMES: ReadonlySet<string> = new Set([
  'code',
  'sig',
  'signature',
  'key',
  'auth',
  'state',
  'pass',
  'ticket',
]);

/** What a key in the form of JSON keeps to itself (RFC 7517, RFC 7518 section 6): letters elsewhere, so they count only beside its `kty`. */
const PRIVATE_MEMBERS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']);

/** Names of headers in flat lists: `['Cookie', 'a=b', …]`. One word alone is a header only if it is one of these. */
const HEADER_NAME = /^(?:authorization|cookie|dpop|[a-z]+(?:-[a-z]+)+)$/i;
/** Options of a command, in flat lists too: `['--password', 'a', …]`. */
const OPTION_NAME = /^--?[a-z][\w.-]*$/i;
const LONGEST_ITEM_NAME = 64;

/** Lower case, without separators (`-`, `_`, `.`, blanks, the brackets of `user[password]`), and without digits at the end. */
export function normalName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[-_.\s[\]]+/g, '')
    .replace(/\d{1,9}$/, '');
}

/** Decides by name alone. Built once per logger. */
export class KeyRules {
  readonly #whole: Set<string>;
  readonly #allowed: Set<string>;

  /** @param added names beside the default ones; @param allowed names that are never redacted. */
  constructor(added: readonly string[] = [], allowed: readonly string[] = []) {
    this.#whole = new Set([...WHOLE_NAMES, ...added.map(normalName)]);
    this.#allowed = new Set([...HARMLESS, ...allowed.map(normalName)]);
  }

  isSensitive(name: string): boolean {
    // No credential is kept under a name of this length, and names come from requests too.
    const normal = normalName(name.length > 256 ? name.slice(-256) : name);
    if (this.#allowed.has(normal)) return false;
    return this.#whole.has(normal) || ENDINGS.some((ending) => normal.endsWith(ending));
  }

  /** The rule for what only a key in the form of JSON has. */
  isSensitiveInKey(name: string): boolean {
    return PRIVATE_MEMBERS.has(name) && !this.#allowed.has(name);
  }

  /** Whether it depends on what it is a property of. */
  mayBeSensitive(name: string): boolean {
    return name === 'value' || this.isSensitiveInKey(name);
  }

  /** The rule for those: a private member of a key, or the `value` beside a `name` or `key`. No getter is asked. */
  isSensitiveIn(holder: object, name: string): boolean {
    if (name !== 'value') return holder instanceof Map ? holder.has('kty') : 'kty' in holder;
    const { value } =
      Object.getOwnPropertyDescriptor(holder, 'name') ?? Object.getOwnPropertyDescriptor(holder, 'key') ?? {};
    return typeof value === 'string' && this.isSensitive(value);
  }

  /** Whether an item of a flat list is the name of a credential, which comes next. */
  isNameOfNext(item: string, index: number): boolean {
    if (item.length > LONGEST_ITEM_NAME) return false;
    const isName = OPTION_NAME.test(item) || (index % 2 === 0 && HEADER_NAME.test(item));
    return isName && this.isSensitive(item);
  }

  /** The rule for `name=value` in the query of a URL. */
  isSensitiveInQuery(name: string): boolean {
    return QUERY_NAMES.has(normalName(name)) || this.isSensitive(name);
  }
}
