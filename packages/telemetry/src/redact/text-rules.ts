import {
  AT,
  B_OR_P,
  BLANK,
  classes,
  COLON_OR_EQUALS,
  DASH,
  DIGIT,
  DOT,
  ESCAPED,
  K_X_T,
} from '../encode/char-classes.ts';
import { LESS_THAN, UNDERSCORE, UPPER_A, UPPER_J } from '../encode/char-classes.ts';
import { CENSOR } from '../sensitive.ts';
import { redactCardNumbers } from './card-number.ts';
import type { KeyRules } from './key-rules.ts';
import { censorElements, censorOptions, censorPairs, MAYBE_OPTION } from './named-values.ts';

// Every expression is linear: each repetition is bounded or consumes what nothing after it could match, and a name can
// begin only where a word begins. Cut-off credentials match too, since long strings are cut before they are looked at.

/** A JWS, a JWE, or the first part of one: base64url of `{"`. */
const JWT = /eyJ[\w-]{6,}(?:\.[\w-]*)*/g;
/** With or without its end. */
const PEM = /-----BEGIN [A-Z0-9 ]{1,40}-----[\s\S]*?(?:-----END [A-Z0-9 ]{1,40}-----|$)/g;
/** `Bearer x`; for Basic, something that is not a word of prose ("basic authentication"). */
const SCHEME =
  /\b(bearer|dpop|basic)(\s{1,4})(?!(?:tokens?|auth|authentication|authorization|credentials?|scheme|headers?|realm|error)\b)([\w.~+/=:-]{4,})/gi;
const BASE64_LIKE = /[A-Z0-9+/=]/;
const USERINFO = /([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/?#"'<>\\]{1,1024}@/gi;
/** To the end of the line or of the text it is quoted in, unless quoted itself; `response="…"` of a Digest is part of it. */
const HEADER =
  /\b((?:proxy-)?authorization|(?:set-)?cookie2?|x-api-key|api-key|stripe-signature)(\s{0,4}:\s{0,4})[^\s"][^\r\n"]*(?:(?<==)"[^"\r\n]*"(?=[ \t]*(?:[,;'\r\n]|$))[^\r\n"]*)*/gi;
/** Credentials that carry their own mark: AWS, GitHub, GitLab, Slack, Stripe, Google, npm, OpenAI, … and our API keys. */
const MARKED = new RegExp(
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
    // `<prefix>_<environment>_<id>_<secret>` of @macadam/auth, whatever the prefix.
    '[a-z][a-z0-9]{0,15}_[a-z0-9]{1,16}_[A-Za-z0-9]{17}_[A-Za-z0-9]{24,}',
  ].join('|')})`,
  'g',
);
const STEMS =
  'pass|pwd|secret|token|key|auth|cookie|cred|session|sid|csrf|xsrf|pin|cvv|cvc|csc|ssn|sig|otp|jwt|code|card|pan|dpop|connectionstring|connection|mnemonic|seed|state|ticket|kty';
const MAYBE_MARKED = UNDERSCORE | UPPER_A | DOT;
const DASHED_MARK = DASH | K_X_T;
/** The shortest is `xoxb-` and ten characters. */
const SHORTEST_MARKED = 15;

/** Finds credentials inside strings: messages, stacks, URLs, bodies. Built once per logger. */
export class TextRules {
  readonly #keys: KeyRules;
  readonly #stems: RegExp;
  readonly #patterns: readonly RegExp[];

  constructor(keys: KeyRules, addedKeys: readonly string[] = [], patterns: readonly RegExp[] = []) {
    this.#keys = keys;
    const stems = addedKeys.map((key) => /[A-Za-z0-9]+/.exec(key)?.[0] ?? '').filter((stem) => stem !== '');
    this.#stems = new RegExp([STEMS, ...stems].join('|'), 'i');
    this.#patterns = patterns.map((pattern) => new RegExp(pattern.source, `${pattern.flags.replace(/[gy]/g, '')}g`));
  }

  /** The text without its credentials, for callers that have not looked at its characters. */
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

  /**
   * The text without its credentials.
   *
   * @param seen the classes of all its characters; @param digits how many of them are digits, times `DIGIT`.
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
    if (out.length >= SHORTEST_MARKED && ((seen & MAYBE_MARKED) !== 0 || (seen & DASHED_MARK) === DASHED_MARK)) {
      out = out.replace(MARKED, CENSOR);
    }
    if (digits >= 13 * DIGIT) out = redactCardNumbers(out, CENSOR);
    for (const pattern of this.#patterns) out = out.replace(pattern, CENSOR);
    return out;
  }
}

/** Whether a word ends like "bearer", "basic" or "dpop": cheaper than the expression, and false for nearly every text. */
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

function censorScheme(match: string, scheme: string, blank: string, value: string): string {
  if (scheme.toLowerCase() === 'basic' && !BASE64_LIKE.test(value)) return match;
  return `${scheme}${blank}${CENSOR}`;
}
