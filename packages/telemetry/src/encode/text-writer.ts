import type { TextRules } from '../redact/text-rules.ts';
import { classes, DIGIT, ESCAPED, NON_ASCII } from './char-classes.ts';

/** Characters that JSON allows unescaped but a terminal or an old JavaScript parser interprets: DEL, C1 and the two line separators. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;
/** Beside the classes of its characters: a text that redaction may make longer than the limit. */
const LONG = 1 << 16;
/** The name of a property that stands for those that are left out. */
export const MARK_NAME = '[…]';
/** Bytes of UTF-8 of the mark of a cut beyond one per character. */
export const MARK_EXTRA_BYTES = 2;

/** Converts text to JSON strings: cut to a limit, redacted and escaped. */
export class TextWriter {
  /** Bytes of UTF-8 of everything written, beyond one per UTF-16 unit, which can take up to 3. */
  extraBytes = 0;
  /** The number of values cut since the owner of the line last set it to 0. */
  cuts = 0;
  readonly #rules: TextRules;
  #limit = 0;
  /** The length up to which a text stays within the limit when it is redacted. */
  #shortLength = 0;
  #scannedClasses = 0;
  #scannedText = '';

  constructor(limit: number, rules: TextRules) {
    this.#rules = rules;
    this.limit = limit;
  }

  /** Maximum length of a text in characters; longer ones are cut. */
  get limit(): number {
    return this.#limit;
  }

  set limit(limit: number) {
    this.#limit = limit;
    this.#shortLength = Math.floor(limit / this.#rules.maxGrowth);
  }

  /** Returns a JSON string with its quotes. */
  quote(text: string): string {
    const plain = this.plain(text);
    return plain === undefined ? this.quoteScanned(text) : `"${plain}"`;
  }

  /** Returns the redacted text if nothing has to be cut or escaped, so that it only needs quotes. If it returns undefined, call `quoteScanned`. */
  plain(text: string): string | undefined {
    let seenClasses = 0;
    if (text.length > this.#shortLength) {
      if (text.length > this.#limit) return undefined;
      seenClasses = LONG;
    }
    let digits = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const bits = code < 128 ? classes[code]! : NON_ASCII;
      seenClasses |= bits;
      digits += bits & DIGIT;
    }
    // No text shorter than "id=1" can contain a credential.
    const clean = text.length < 4 ? text : this.#rules.clean(text, seenClasses, digits);
    if ((seenClasses & (ESCAPED | NON_ASCII | LONG)) === 0) return clean;
    if ((seenClasses & (ESCAPED | NON_ASCII)) === 0 && clean.length <= this.#limit) return clean;
    this.#scannedClasses = seenClasses;
    this.#scannedText = clean;
    return undefined;
  }

  /** Returns the JSON string of a text for which `plain` has just returned undefined. */
  quoteScanned(text: string): string {
    const clean = this.#scannedText;
    this.#scannedText = '';
    if (text.length > this.#limit || clean.length > this.#limit) return this.#cut(text);
    const before = this.extraBytes;
    const quoted = this.#escape(clean, (this.#scannedClasses & NON_ASCII) !== 0);
    if (this.#fits(quoted, before)) return quoted;
    this.extraBytes = before;
    return this.#cut(text);
  }

  #escape(text: string, hasNonAscii: boolean): string {
    const quoted = JSON.stringify(text).replace(UNSAFE, escapeCode);
    if (hasNonAscii) this.extraBytes += Buffer.byteLength(quoted) - quoted.length;
    return quoted;
  }

  /** Whether a JSON string is within the limit. `extraBytes` counted `before` it was added. */
  #fits(quoted: string, before: number): boolean {
    return quoted.length + this.extraBytes - before <= this.#limit + 2;
  }

  #cut(text: string): string {
    this.cuts++;
    const before = this.extraBytes;
    let { kept, left } = this.#rules.redactAndCut(text, this.#limit);
    let quoted = this.#escape(kept, true);
    if (!this.#fits(quoted, before)) {
      this.extraBytes = before;
      // An escaped control character takes six bytes, and others take up to three.
      ({ kept, left } = this.#rules.redactAndCut(text, Math.floor(this.#limit / 6)));
      quoted = this.#escape(kept, true);
    }
    this.extraBytes += MARK_EXTRA_BYTES;
    return `${quoted.slice(0, -1)}[…+${left}]"`;
  }
}

function escapeCode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
