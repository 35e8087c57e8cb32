import type { TextRules } from '../redact/text-rules.ts';
import { classes, DIGIT, ESCAPED, NON_ASCII } from './char-classes.ts';

/** Characters that JSON allows unescaped but a terminal or an old JavaScript parser interprets: DEL, C1 and the two line separators. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;
/** Maximum length of a word that is left out as a whole if the text is cut inside of it, since it may be a credential. */
const MAX_WORD_LENGTH = 512;

/** Converts text to JSON strings: cut to a limit, redacted and escaped. */
export class TextWriter {
  /** Maximum length of a text in characters; longer ones are cut. */
  limit: number;
  /** Bytes of UTF-8 of everything written, beyond one per UTF-16 unit, which can take up to 3. */
  extraBytes = 0;
  /** The number of values cut since the owner of the line last set it to 0. */
  cuts = 0;
  readonly #rules: TextRules;
  #scannedClasses = 0;
  #scannedText = '';

  constructor(limit: number, rules: TextRules) {
    this.limit = limit;
    this.#rules = rules;
  }

  /** Returns a JSON string with its quotes. */
  quote(text: string): string {
    const plain = this.plain(text);
    return plain === undefined ? this.quoteScanned(text) : `"${plain}"`;
  }

  /** Returns the redacted text if nothing has to be cut or escaped, so that it only needs quotes. If it returns undefined, call `quoteScanned`. */
  plain(text: string): string | undefined {
    if (text.length > this.limit) return undefined;
    let seenClasses = 0;
    let digits = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const bits = code < 128 ? classes[code]! : NON_ASCII;
      seenClasses |= bits;
      digits += bits & DIGIT;
    }
    // No text shorter than "id=1" can contain a credential.
    const clean = text.length < 4 ? text : this.#rules.clean(text, seenClasses, digits);
    if ((seenClasses & (ESCAPED | NON_ASCII)) === 0) return clean;
    this.#scannedClasses = seenClasses;
    this.#scannedText = clean;
    return undefined;
  }

  /** Returns the JSON string of a text for which `plain` has just returned undefined. */
  quoteScanned(text: string): string {
    if (text.length > this.limit) return this.#cut(text, this.limit);
    const clean = this.#scannedText;
    this.#scannedText = '';
    const before = this.extraBytes;
    const quoted = this.#escape(clean, (this.#scannedClasses & NON_ASCII) !== 0);
    // An escaped control character takes six bytes, and others take up to three.
    if (quoted.length + this.extraBytes - before <= this.limit + 2 || clean.length * 6 <= this.limit) return quoted;
    this.extraBytes = before;
    return this.#cut(text, Math.floor(this.limit / 6));
  }

  #escape(text: string, hasNonAscii: boolean): string {
    const quoted = JSON.stringify(text).replace(UNSAFE, escapeCode);
    if (hasNonAscii) this.extraBytes += Buffer.byteLength(quoted) - quoted.length;
    return quoted;
  }

  #cut(text: string, maxLength: number): string {
    this.cuts++;
    // Half of a credential would not match the pattern that redacts it, so the word at the cut is left out.
    const from = Math.max(0, maxLength - MAX_WORD_LENGTH);
    const blank = text.slice(from, maxLength).search(/\s\S*$/);
    let kept = text.slice(0, blank < 0 ? maxLength : from + blank);
    // Half of a surrogate pair would be written as an escape.
    if (/[\ud800-\udbff]$/.test(kept)) kept = kept.slice(0, -1);
    const quoted = this.quote(kept);
    return `${quoted.slice(0, -1)}[…+${text.length - kept.length}]"`;
  }
}

function escapeCode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
