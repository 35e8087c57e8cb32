import { AT, B_OR_P, BLANK, classes, COLON_OR_EQUALS, DASH, DIGIT, DOT } from '../encode/char-classes.ts';
import { ESCAPED, K_X_T, LESS_THAN, UNDERSCORE, UPPER_A, UPPER_J } from '../encode/char-classes.ts';
import { CENSOR } from '../sensitive.ts';
import { redactCardNumbers } from './card-number.ts';
import type { KeyRules } from './key-rules.ts';
import { censorElements, censorOptions, censorPairs, MAYBE_OPTION } from './named-values.ts';

// Every expression runs in linear time: each repetition is bounded or consumes what nothing after it could match, and a
// name can begin only where a word begins. Incomplete credentials match too, since long strings are cut before they are
// redacted.

/** A JWS or a JWE, or the first part of one: `eyJ` is base64url of `{"`. */
const JWT = /eyJ[\w-]{6,}(?:\.[\w-]*)*/g;
/** A PEM block, also one without its end. */
const PEM = /-----BEGIN [A-Z0-9 ]{1,40}-----[\s\S]*?(?:-----END [A-Z0-9 ]{1,40}-----|$)/g;
/** `Bearer x`, but not prose such as "bearer token missing". `censorScheme` excludes more for Basic. */
const SCHEME =
  /\b(bearer|dpop|basic)(\s{1,4})(?!(?:tokens?|auth|authentication|authorization|credentials?|scheme|headers?|realm|error)\b)([\w.~+/=:-]{4,})/gi;
const BASE64_LIKE = /[A-Z0-9+/=]/;
const USERINFO = /([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#"'<>\\]{1,1024}@/gi;
/**
 * A header with a credential, to the end of its line or of the quotes around it. A value that is quoted as a whole does not match
 * (`PAIR` handles it); a quoted part such as `response="…"` of Digest does.
 */
const HEADER =
  /\b((?:proxy-)?authorization|(?:set-)?cookie2?|x-api-key|api-key|stripe-signature)(\s{0,4}:\s{0,4})[^\s"][^\r\n"]*(?:(?<==)"[^"\r\n]*"(?=[ \t]*(?:[,;'\r\n]|$))[^\r\n"]*)*/gi;
/** Credentials with a known prefix: AWS, GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI, … and API keys of @macadam/auth. */
const PREFIXED = new RegExp(
  `(?<![A-Za-z0-9])(?:${[
    'A[KSB]IA[A-Z0-9]{12,}',
    'gh[pousr]_[A-Za-z0-9]{16,}',
    'github_pat_\\w{16,}',
    'glpat-[\\w-]{16,}',
    'xox[abeoprs]-[\\w-]{10,}',
    '[srp]k_(?:live|test)_[A-Za-z0-9]{8,}',
    'whsec_[A-Za-z0-9+/=]{16,}',
    'AIza[\\w-]{30,}',
    'ya29\\.[\\w.-]{16,}',
    'npm_[A-Za-z0-9]{30,}',
    'pypi-[\\w-]{30,}',
    'SG\\.[\\w-]{16,}\\.[\\w-]{16,}',
    'sk-[A-Za-z0-9_-]{20,}',
    'hf_[A-Za-z0-9]{20,}',
    'dop_v1_[a-f0-9]{32,}',
    'shp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}',
    'mcd_[A-Za-z0-9]+_\\w{16,}',
    // `<prefix>_<environment>_<id>_<secret>` of @macadam/auth, with any prefix.
    '[a-z][a-z0-9]{0,15}_[a-z0-9]{1,16}_[A-Za-z0-9]{17}_[A-Za-z0-9]{24,}',
  ].join('|')})`,
  'g',
);
/** Parts of all sensitive names: a text without any of them has no pair, option or element to redact. */
const STEMS =
  'pass|pwd|secret|token|key|auth|cookie|cred|session|sid|csrf|xsrf|pin|cvv|cvc|csc|ssn|sig|otp|jwt|code|card|pan|dpop|connectionstring|connection|mnemonic|seed|state|ticket|kty';
/** Every prefix has one of these characters or both of `PREFIX_WITH_DASH`. A PyPI token begins with `pypi-AgE`. */
const MAYBE_PREFIXED = UNDERSCORE | UPPER_A | DOT;
const PREFIX_WITH_DASH = DASH | K_X_T;
/** The length of the shortest match: `xoxb-` and ten characters. */
const MIN_PREFIXED_LENGTH = 15;

/**
 * How far a text is redacted beyond the place where it is cut, since half of a credential would not match its pattern. Of
 * longer ones the beginning suffices.
 */
const LOOK_AHEAD = 512;

/** The beginning of a redacted text, and the number of characters that are left out. */
export interface CutText {
  readonly kept: string;
  readonly left: number;
}

/** Redacts credentials inside of strings: messages, stacks, URLs, bodies. Built once per logger. */
export class TextRules {
  /** How many times as long as before a redacted text can be: a match is never empty, but patterns of users can do anything. */
  readonly maxGrowth: number;
  readonly #keys: KeyRules;
  readonly #stems: RegExp;
  readonly #patterns: readonly RegExp[];

  constructor(keys: KeyRules, addedKeys: readonly string[] = [], patterns: readonly RegExp[] = []) {
    this.#keys = keys;
    const stems = addedKeys.map((key) => /[A-Za-z0-9]+/.exec(key)?.[0] ?? '').filter((stem) => stem !== '');
    this.#stems = new RegExp([STEMS, ...stems].join('|'), 'i');
    this.maxGrowth = patterns.length === 0 ? CENSOR.length + 2 : Infinity;
    this.#patterns = patterns.map((pattern) => new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}g`));
  }

  /** Redacts the credentials in a text. */
  redact(text: string): string {
    let seen = 0;
    let digits = 0;
    for (let i = 0; i < text.length; i++) {
      const bits = classes[text.charCodeAt(i)] ?? 0;
      seen |= bits;
      digits += bits & DIGIT;
    }
    return this.clean(text, seen, digits);
  }

  /** Redacts the credentials in a text and cuts it to `maxLength` characters, in time that does not depend on its length. */
  redactAndCut(text: string, maxLength: number): CutText {
    const read = text.slice(0, maxLength + LOOK_AHEAD);
    const clean = this.redact(read);
    const unread = text.length - read.length;
    // The end of what was read may be half of a credential, unless that was redacted already.
    const safeLength = unread === 0 ? clean.length : Math.max(clean.length - LOOK_AHEAD, endOfLastCensor(clean));
    let end = Math.min(maxLength, safeLength);
    // Half of a surrogate pair would be written as an escape.
    if (end < clean.length && /[\ud800-\udbff]/.test(clean.charAt(end - 1))) end--;
    const kept = clean.slice(0, end);
    return { kept, left: clean.length - kept.length + unread };
  }

  /**
   * The same as `redact`, for a caller that has scanned the characters already.
   *
   * @param seen the classes of all characters, combined; @param digits the number of digits, times `DIGIT`.
   */
  clean(text: string, seen: number, digits: number): string {
    let out = text;
    if ((seen & DASH) !== 0 && out.includes('-----BEGIN')) out = out.replace(PEM, CENSOR);
    if ((seen & UPPER_J) !== 0 && out.includes('eyJ')) out = out.replace(JWT, CENSOR);
    if ((seen & BLANK) !== 0 && (seen & B_OR_P) !== 0 && mayHaveScheme(out)) out = out.replace(SCHEME, censorScheme);
    if ((seen & COLON_OR_EQUALS) !== 0) {
      if ((seen & AT) !== 0 && out.includes('://')) out = out.replace(USERINFO, `$1${CENSOR}@`);
      if (this.#stems.test(out)) out = censorPairs(out.replace(HEADER, `$1$2${CENSOR}`), this.#keys);
    }
    if ((seen & DASH) !== 0 && (seen & (BLANK | ESCAPED)) !== 0 && MAYBE_OPTION.test(out) && this.#stems.test(out)) {
      out = censorOptions(out, this.#keys);
    }
    if ((seen & LESS_THAN) !== 0 && this.#stems.test(out)) out = censorElements(out, this.#keys);
    if (
      out.length >= MIN_PREFIXED_LENGTH &&
      ((seen & MAYBE_PREFIXED) !== 0 || (seen & PREFIX_WITH_DASH) === PREFIX_WITH_DASH)
    ) {
      out = out.replace(PREFIXED, CENSOR);
    }
    if (digits >= 13 * DIGIT) out = redactCardNumbers(out, CENSOR);
    return this.#patterns.length === 0 ? out : this.#replacePatterns(out);
  }

  #replacePatterns(text: string): string {
    let out = text;
    for (const pattern of this.#patterns) out = out.replace(pattern, CENSOR);
    return out;
  }
}

function endOfLastCensor(text: string): number {
  const start = text.lastIndexOf(CENSOR);
  return start < 0 ? 0 : start + CENSOR.length;
}

/** Whether a word ends like "bearer", "basic" or "dpop". Cheaper than `SCHEME`, and false for nearly every text. */
function mayHaveScheme(text: string): boolean {
  for (let i = 4; i < text.length; i++) {
    if (text.charCodeAt(i) > 32) continue;
    const end =
      ((text.charCodeAt(i - 3) | 32) << 16) | ((text.charCodeAt(i - 2) | 32) << 8) | (text.charCodeAt(i - 1) | 32);
    if (end === BEARER_END || end === BASIC_END || end === DPOP_END) return true;
  }
  return false;
}

const [BEARER_END, BASIC_END, DPOP_END] = ['rer', 'sic', 'pop'].map(
  (end) => (end.charCodeAt(0) << 16) | (end.charCodeAt(1) << 8) | end.charCodeAt(2),
);

/** For Basic, only a value with a character that base64 has and a word of prose has not ("basic authentication"). */
function censorScheme(match: string, scheme: string, blank: string, value: string): string {
  if (scheme.toLowerCase() === 'basic' && !BASE64_LIKE.test(value)) return match;
  return `${scheme}${blank}${CENSOR}`;
}
