import type { TextRules } from '../redact/text-rules.ts';
import { classes, DIGIT, ESCAPED, WIDE } from './char-classes.ts';

/** What JSON allows raw and a terminal or an old JavaScript parser would obey: DEL, C1 and the two line separators. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;
/** How far back a long text is cut so as not to split a credential that stands at the cut. */
const LONGEST_WORD = 512;

/** Turns text into JSON strings: cut to a limit, without credentials, escaped. */
export class TextWriter {
  /** Longest text, in characters, before it is cut. */
  limit: number;
  /** Bytes of everything written that characters do not show: UTF-8 takes up to 3 bytes for one of ours. */
  extraBytes = 0;
  /** How many texts were cut since this was last set to 0. */
  cuts = 0;
  readonly #rules: TextRules;
  #seen = 0;
  #clean = '';

  constructor(limit: number, rules: TextRules) {
    this.limit = limit;
    this.#rules = rules;
  }

  /** A JSON string, quotes included. */
  quote(text: string): string {
    const bare = this.bare(text);
    return bare === undefined ? this.quoteLast(text) : `"${bare}"`;
  }

  /** What stands between the quotes, when nothing has to be cut or escaped; else `quoteLast` has to follow. */
  bare(text: string): string | undefined {
    if (text.length > this.limit) return undefined;
    let seen = 0;
    let digits = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      const bits = code < 128 ? classes[code]! : WIDE;
      seen |= bits;
      digits += bits & DIGIT;
    }
    // "id=1" is the shortest that could matter.
    const clean = text.length < 4 ? text : this.#rules.clean(text, seen, digits);
    if ((seen & (ESCAPED | WIDE)) === 0) return clean;
    this.#seen = seen;
    this.#clean = clean;
    return undefined;
  }

  /** The JSON string of the text that `bare` has just looked at. */
  quoteLast(text: string): string {
    if (text.length > this.limit) return this.#cut(text, this.limit);
    const clean = this.#clean;
    this.#clean = '';
    const before = this.extraBytes;
    const quoted = this.#escape(clean, (this.#seen & WIDE) !== 0);
    // Control characters grow six times when they are escaped, and others take up to three bytes.
    if (quoted.length + this.extraBytes - before <= this.limit + 2 || clean.length * 6 <= this.limit) return quoted;
    this.extraBytes = before;
    return this.#cut(text, Math.floor(this.limit / 6));
  }

  #escape(text: string, wide: boolean): string {
    const quoted = JSON.stringify(text).replace(UNSAFE, escapeCode);
    if (wide) this.extraBytes += Buffer.byteLength(quoted) - quoted.length;
    return quoted;
  }

  #cut(text: string, most: number): string {
    this.cuts++;
    // A word at the cut could be half of a credential whose pattern needs all of it.
    const from = Math.max(0, most - LONGEST_WORD);
    const blank = text.slice(from, most).search(/\s\S*$/);
    let kept = text.slice(0, blank < 0 ? most : from + blank);
    // Half of a surrogate pair would be escaped, which is right but ugly.
    if (/[\ud800-\udbff]$/.test(kept)) kept = kept.slice(0, -1);
    const quoted = this.quote(kept);
    return `${quoted.slice(0, -1)}[…+${text.length - kept.length}]"`;
  }
}

function escapeCode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
