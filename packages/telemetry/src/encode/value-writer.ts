import { Ancestors } from './ancestors.ts';
import { CENSOR, type Pii } from '../sensitive.ts';
import { isCardNumber } from '../redact/card-number.ts';
import type { ErrorNames } from './error-writer.ts';
import type { LineLimits } from './limits.ts';
import type { PropertyName, PropertyNames } from './property-names.ts';
import { writeSpecial } from './special-values.ts';
import type { TextWriter } from './text-writer.ts';

const hasOwn = Object.prototype.hasOwnProperty;
const UNREADABLE = '"[threw]"';
const CUT = '"[…]"';

/** How a log shows personal data. */
export type WritePii = (pii: Pii<unknown>, writer: ValueWriter) => void;

/**
 * One pass that walks a value, redacts, bounds and writes JSON, reading each property once and changing nothing.
 *
 * Any hook of a value may throw (getter, Proxy trap, `toJSON`). Text is immutable, so a mark of where the output stood
 * costs nothing, and the output goes back to it: what was written before and after stays whole.
 */
export class ValueWriter {
  out = '';
  /** Bytes left for values. */
  maxBytes = 0;
  maxDepth: number;
  /** Message of the first error written at the top of the line. */
  errorMessage: string | undefined;
  readonly errorNames: ErrorNames;
  readonly limits: LineLimits;
  readonly names: PropertyNames;
  readonly text: TextWriter;
  readonly writePii: WritePii;
  readonly #ancestors = new Ancestors();
  #nodes = 0;

  constructor(limits: LineLimits, text: TextWriter, names: PropertyNames, pii: WritePii, errorNames: ErrorNames) {
    this.limits = limits;
    this.maxDepth = limits.depth;
    this.text = text;
    this.names = names;
    this.writePii = pii;
    this.errorNames = errorNames;
  }

  /** Starts over with an empty line. */
  reset(maxBytes: number): void {
    this.out = '';
    this.maxBytes = maxBytes;
    this.maxDepth = this.limits.depth;
    this.text.extraBytes = 0;
    this.#nodes = 0;
    this.errorMessage = undefined;
  }

  /** Says that values of depth 1 stand in `top`, which must not contain itself. */
  enter(top: object): void {
    this.#ancestors.enter(top);
  }

  /** Lets go of what was written, so that nothing of it lives longer than the line. */
  release(): void {
    this.out = '';
    this.errorMessage = undefined;
    this.#ancestors.release();
  }

  /** Whether there is room for another value. Counts it. */
  hasRoom(): boolean {
    if (++this.#nodes <= this.limits.nodes && this.out.length + this.text.extraBytes < this.maxBytes) return true;
    this.text.cuts++;
    return false;
  }

  /** Writes any value. What JSON has no form for (undefined, functions, symbols) is null. */
  value(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string': {
        const bare = this.text.bare(value);
        if (bare === undefined) this.out += this.text.quoteLast(value);
        else this.out = this.out + '"' + bare + '"';
        break;
      }
      case 'number':
        this.#number(value);
        break;
      case 'boolean':
        this.out += value ? 'true' : 'false';
        break;
      case 'bigint':
        // Beyond 2^53 a JSON number would be read as another one.
        this.out += this.text.quote(String(value));
        break;
      case 'object':
        if (value === null) this.out += 'null';
        else this.object(value, depth);
        break;
      default:
        this.out += 'null';
    }
  }

  /** `"name":value` with a comma before it unless first; nothing for undefined, functions and symbols. It is a property of `holder`. */
  property(source: object, name: string, first: boolean, depth: number, holder: object = source): boolean {
    const known = this.names.get(name);
    try {
      return this.entry((source as Record<string, unknown>)[name], known, first, depth, holder);
    } catch {
      return this.unreadable(known, first);
    }
  }

  /** The same as `property`, for a value that was read already. */
  entry(value: unknown, known: PropertyName, first: boolean, depth: number, holder: object): boolean {
    if (!isShown(value)) return false;
    this.text.extraBytes += known.extraBytes;
    if (known.sensitive !== false && (known.sensitive === true || this.names.rules.isSensitiveIn(holder, known.name))) {
      this.out += (first ? known.json : known.further) + (value === null ? 'null' : `"${CENSOR}"`);
      return true;
    }
    if (first) {
      this.out += known.json;
      this.value(value, depth);
    } else if (typeof value === 'string') {
      const bare = this.text.bare(value);
      if (bare === undefined) this.out = this.out + known.further + this.text.quoteLast(value);
      else this.out = this.out + known.furtherText + bare + '"';
    } else if (typeof value === 'boolean') {
      this.out += value ? known.furtherTrue : known.furtherFalse;
    } else {
      this.out += known.further;
      this.value(value, depth);
    }
    return true;
  }

  /** What stands for a property whose getter throws. */
  unreadable(known: PropertyName, first: boolean): boolean {
    this.text.extraBytes += known.extraBytes;
    this.out += (first ? known.json : known.further) + UNREADABLE;
    return true;
  }

  object(value: object, depth: number): void {
    if (depth >= this.maxDepth) {
      this.cut('deeper');
      return;
    }
    if (this.#ancestors.includes(value, depth)) {
      this.out += '"[Circular]"';
      return;
    }
    const mark = this.out;
    try {
      if (Array.isArray(value)) this.items(value, depth);
      else this.#byKind(value, depth);
    } catch {
      this.out = mark + UNREADABLE;
    }
  }

  /** The own enumerable properties, except those in `without`. */
  properties(source: object, depth: number): void {
    this.out += '{';
    let count = 0;
    let written = 0;
    let known = this.names.start;
    for (const name in source) {
      if (!hasOwn.call(source, name)) continue;
      if (count >= this.limits.items || !this.hasRoom()) {
        this.text.cuts++;
        this.out += `${written === 0 ? '' : ','}"[…]":${CUT}`;
        break;
      }
      count++;
      known = this.names.after(known, name);
      let value: unknown;
      // Read here, where the engine knows the shape from the loop.
      try {
        value = (source as Record<string, unknown>)[name];
      } catch {
        this.unreadable(known, written++ === 0);
        continue;
      }
      if (this.entry(value, known, written === 0, depth + 1, source)) written++;
    }
    this.out += '}';
  }

  /** A list, item by item; a hole is null. */
  items(list: readonly unknown[], depth: number): void {
    this.out += '[';
    const { length } = list;
    let secretNext = false;
    for (let i = 0; i < length; i++) {
      if (i > 0) this.out += ',';
      if (i >= this.limits.items || !this.hasRoom()) {
        this.cut(`+${length - i}`);
        break;
      }
      const mark = this.out;
      try {
        const item = list[i];
        if (secretNext && typeof item === 'string') this.out += `"${CENSOR}"`;
        else this.value(item, depth + 1);
        secretNext = typeof item === 'string' && this.names.rules.isNameOfNext(item, i);
      } catch {
        this.out = mark + UNREADABLE;
      }
    }
    this.out += ']';
  }

  /** What stands for a value that is left out. */
  cut(what: string): void {
    this.text.cuts++;
    this.out += `"[…${what}]"`;
  }

  #byKind(value: object, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null && writeSpecial(value, this, depth)) return;
    const toJson: unknown = (value as { toJSON?: unknown }).toJSON;
    if (typeof toJson === 'function') this.#json(toJson.call(value), depth);
    else this.properties(value, depth);
  }

  /** What `toJSON` gave. Its own `toJSON` is not asked, since that could go on for ever. */
  #json(json: unknown, depth: number): void {
    if (typeof json !== 'object' || json === null) this.value(json, depth);
    else if (Array.isArray(json)) this.items(json, depth);
    else if (!writeSpecial(json, this, depth)) this.properties(json, depth);
  }

  #number(value: number): void {
    if (!Number.isFinite(value)) this.out += 'null';
    else if (value > 2e12 && Number.isInteger(value) && isCardNumber(String(value))) this.out += `"${CENSOR}"`;
    else this.out += value;
  }
}

/** Whether JSON has a form for it. */
function isShown(value: unknown): boolean {
  return value !== undefined && typeof value !== 'function' && typeof value !== 'symbol';
}
