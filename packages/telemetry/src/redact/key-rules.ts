// Decides by the name of a field whether its value is a credential. Names are compared in lower case without separators,
// so `X-API-Key`, `x_api_key` and `xApiKey` are the same. Whole names and endings match, never parts: `tokens_used`,
// `keyboard` and `author` must stay readable (pino, evlog and LogTape each had to withdraw a rule that was too broad).

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
  // Plurals. `tokens` alone is not here, since it is usually a number of tokens.
  'passwords secrets apikeys privatekeys secretkeys accesskeys accesstokens refreshtokens',
]
  .join(' ')
  .split(' ');

/** Names that end like credentials but are not: cursors of lists, and cancellation. */
const NOT_CREDENTIALS = [
  'pagetoken',
  'nextpagetoken',
  'nexttoken',
  'continuationtoken',
  'synctoken',
  'cancellationtoken',
  'resumetoken',
];

/** Sensitive only as parameters of a URL, since they are ordinary words elsewhere. */
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

/** Private members of a JSON Web Key (RFC 7517, RFC 7518 section 6). Single letters are common elsewhere, so they count only beside a `kty`. */
const JWK_PRIVATE_MEMBERS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']);

/** Names of headers in flat lists: `['Cookie', 'a=b', …]`. A single word counts as a header only if it is one of these. */
const HEADER_NAME = /^(?:authorization|cookie|dpop|[a-z]+(?:-[a-z]+)+)$/i;
/** Options of a command in flat lists: `['--password', 'a', …]`. */
const OPTION_NAME = /^--?[a-z][\w.-]*$/i;
const MAX_ITEM_NAME_LENGTH = 64;

/** Returns the name in lower case, without separators (`-`, `_`, `.`, blanks, the brackets of `user[password]`) and trailing digits. */
function normalName(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[-_.\s[\]]+/g, '')
    .replace(/\d{1,9}$/, '');
}

/** The rules for names, with those that a logger adds. Built once per logger. */
export class KeyRules {
  readonly #wholeNames: Set<string>;
  readonly #allowedNames: Set<string>;

  /** @param added names in addition to the built-in ones; @param allowed names that are never redacted. */
  constructor(added: readonly string[] = [], allowed: readonly string[] = []) {
    this.#wholeNames = new Set([...WHOLE_NAMES, ...added.map(normalName)]);
    this.#allowedNames = new Set([...NOT_CREDENTIALS, ...allowed.map(normalName)]);
  }

  isSensitive(name: string): boolean {
    // Names can come from requests, so their length is bounded here. Endings decide, so the end is kept.
    const normal = normalName(name.length > 256 ? name.slice(-256) : name);
    if (this.#allowedNames.has(normal)) return false;
    return this.#wholeNames.has(normal) || ENDINGS.some((ending) => normal.endsWith(ending));
  }

  /** Whether the name is sensitive as a member of a JSON Web Key. */
  isSensitiveInJwk(name: string): boolean {
    return JWK_PRIVATE_MEMBERS.has(name) && !this.#allowedNames.has(name);
  }

  /** Whether the object that has the property decides, by {@link isSensitiveIn}. */
  mayBeSensitive(name: string): boolean {
    return name === 'value' || this.isSensitiveInJwk(name);
  }

  /**
   * Whether the name is sensitive in `holder`: as a private member of a JSON Web Key, or as the `value` beside a `name` or
   * `key` that is sensitive. Calls no getter.
   */
  isSensitiveIn(holder: object, name: string): boolean {
    if (name !== 'value') return holder instanceof Map ? holder.has('kty') : 'kty' in holder;
    const { value } =
      Object.getOwnPropertyDescriptor(holder, 'name') ?? Object.getOwnPropertyDescriptor(holder, 'key') ?? {};
    return typeof value === 'string' && this.isSensitive(value);
  }

  /** Whether an item of a flat list is the name of a credential, so that the next item is its value. */
  isNameOfNext(item: string, index: number): boolean {
    if (item.length > MAX_ITEM_NAME_LENGTH) return false;
    const isName = OPTION_NAME.test(item) || (index % 2 === 0 && HEADER_NAME.test(item));
    return isName && this.isSensitive(item);
  }

  /** Whether the name is sensitive in the query of a URL. */
  isSensitiveInQuery(name: string): boolean {
    return QUERY_NAMES.has(normalName(name)) || this.isSensitive(name);
  }
}
