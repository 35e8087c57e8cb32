import { Ancestors } from './ancestors.ts';
import { CENSOR } from '../sensitive.ts';
import { isCardValue } from '../redact/card-number.ts';
import type { ErrorNames } from './error-writer.ts';
import type { LineLimits } from './limits.ts';
import type { PropertyName, PropertyNames } from './property-names.ts';
import type { WritePii } from './pii-writer.ts';
import { hasJsonForm, writeSpecial } from './special-values.ts';
import { MARK_EXTRA_BYTES, MARK_NAME, type TextWriter } from './text-writer.ts';

const hasOwn = Object.prototype.hasOwnProperty;
const THREW = '"[threw]"';

/**
 * Writes a value as JSON, redacted and within the limits, in one pass. Reads each property once and changes nothing.
 *
 * Any hook of a value may throw (getter, Proxy trap, `toJSON`). `out` is a string, and so immutable: a copy of it from
 * before the value costs nothing. When a hook throws, `out` is set back to that copy and `"[threw]"` is written instead,
 * so the line stays valid JSON.
 */
export class ValueWriter {
  /** The JSON written so far. */
  out = '';
  /** The size of `out` in bytes from which no further value is written. */
  maxBytes = 0;
  maxDepth: number;
  /** The message of the first error written at the top of the line. */
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

  /** Sets the object that contains the values of depth 1, so that a reference back to it is found. */
  enter(top: object): void {
    this.#ancestors.start(top);
  }

  /** Drops references to all that was written, so that nothing outlives the line. */
  release(): void {
    this.out = '';
    this.errorMessage = undefined;
    this.#ancestors.release();
  }

  /** Counts one more value; returns whether the limits of the line allow it. */
  reserveValue(): boolean {
    return ++this.#nodes <= this.limits.nodes && this.out.length + this.text.extraBytes < this.maxBytes;
  }

  /** Writes any value. What JSON cannot represent (undefined, functions, symbols) becomes null. */
  writeValue(value: unknown, depth: number): void {
    switch (typeof value) {
      case 'string': {
        const plain = this.text.plain(value);
        if (plain === undefined) this.out += this.text.quoteScanned(value);
        else this.out = this.out + '"' + plain + '"';
        break;
      }
      case 'number':
        this.#writeNumber(value);
        break;
      case 'boolean':
        this.out += value ? 'true' : 'false';
        break;
      case 'bigint':
        // Most readers of JSON would round a number beyond 2^53.
        this.out += this.text.quote(String(value));
        break;
      case 'object':
        if (value === null) this.out += 'null';
        else this.writeObject(value, depth);
        break;
      default:
        this.out += 'null';
    }
  }

  /**
   * Writes `"name":value`, after a comma unless `first`. Returns false, and writes nothing, for undefined, functions and
   * symbols. The value is read from `source`; `holder` is the object that decides whether a name is sensitive.
   */
  writeProperty(source: object, name: string, first: boolean, depth: number, holder: object = source): boolean {
    const known = this.names.get(name);
    try {
      return this.writeEntry((source as Record<string, unknown>)[name], known, first, depth, holder);
    } catch {
      return this.writeUnreadable(known, first);
    }
  }

  /** The same as `writeProperty`, for a value that was read already. */
  writeEntry(value: unknown, known: PropertyName, first: boolean, depth: number, holder: object): boolean {
    if (!hasJsonForm(value)) return false;
    this.text.extraBytes += known.extraBytes;
    if (known.sensitive !== false && (known.sensitive === true || this.names.rules.isSensitiveIn(holder, known.name))) {
      this.out += (first ? known.json : known.commaJson) + (value === null ? 'null' : `"${CENSOR}"`);
      return true;
    }
    if (first) {
      this.out += known.json;
      this.writeValue(value, depth);
    } else if (typeof value === 'string') {
      const plain = this.text.plain(value);
      if (plain === undefined) this.out = this.out + known.commaJson + this.text.quoteScanned(value);
      else this.out = this.out + known.commaString + plain + '"';
    } else if (typeof value === 'boolean') {
      this.out += value ? known.commaTrue : known.commaFalse;
    } else {
      this.out += known.commaJson;
      this.writeValue(value, depth);
    }
    return true;
  }

  /** Writes a property whose getter threw. */
  writeUnreadable(known: PropertyName, first: boolean): boolean {
    this.text.extraBytes += known.extraBytes;
    this.out += (first ? known.json : known.commaJson) + THREW;
    return true;
  }

  writeObject(value: object, depth: number): void {
    if (depth >= this.maxDepth) {
      this.writeCut('deeper');
      return;
    }
    if (!this.#ancestors.enter(value, depth)) {
      this.out += '"[Circular]"';
      return;
    }
    const mark = this.out;
    try {
      if (Array.isArray(value)) this.writeItems(value, depth);
      else this.#writeByKind(value, depth);
    } catch {
      this.out = mark + THREW;
    }
  }

  /** Writes the own enumerable properties. */
  writeProperties(source: object, depth: number): void {
    this.out += '{';
    let count = 0;
    let written = 0;
    let known = this.names.start;
    for (const name in source) {
      if (!hasOwn.call(source, name)) continue;
      if (count >= this.limits.items || !this.reserveValue()) {
        this.writeMark(written === 0, '');
        break;
      }
      count++;
      known = this.names.getAfter(known, name);
      let value: unknown;
      // Read inside of the `for in` loop, where V8 uses the shape of the object for a fast look-up.
      try {
        value = (source as Record<string, unknown>)[name];
      } catch {
        this.writeUnreadable(known, written++ === 0);
        continue;
      }
      if (this.writeEntry(value, known, written === 0, depth + 1, source)) written++;
    }
    this.out += '}';
  }

  /** Writes an array; a hole becomes null. */
  writeItems(list: readonly unknown[], depth: number): void {
    this.out += '[';
    const { length } = list;
    let nextIsSecret = false;
    for (let i = 0; i < length; i++) {
      if (i > 0) this.out += ',';
      if (i >= this.limits.items || !this.reserveValue()) {
        this.writeCut(`+${length - i}`);
        break;
      }
      const mark = this.out;
      try {
        const item = list[i];
        if (nextIsSecret && typeof item === 'string') this.out += `"${CENSOR}"`;
        else this.writeValue(item, depth + 1);
        nextIsSecret = typeof item === 'string' && this.names.rules.isNameOfNext(item, i);
      } catch {
        this.out = mark + THREW;
      }
    }
    this.out += ']';
  }

  /** Writes a mark in the place of a value that is left out. */
  writeCut(what: string): void {
    this.text.cuts++;
    this.text.extraBytes += MARK_EXTRA_BYTES;
    this.out += `"[…${what}]"`;
  }

  /** Writes a property that stands for those that are left out. */
  writeMark(first: boolean, what: string): void {
    this.text.extraBytes += MARK_EXTRA_BYTES;
    this.out += `${first ? '' : ','}"${MARK_NAME}":`;
    this.writeCut(what);
  }

  #writeByKind(value: object, depth: number): void {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null && writeSpecial(value, this, depth)) return;
    const toJson: unknown = (value as { toJSON?: unknown }).toJSON;
    if (typeof toJson === 'function') this.#writeToJsonResult(toJson.call(value), depth);
    else this.writeProperties(value, depth);
  }

  /** Writes the result of a `toJSON`. A `toJSON` of the result is not called, since that could go on for ever. */
  #writeToJsonResult(json: unknown, depth: number): void {
    if (typeof json !== 'object' || json === null) this.writeValue(json, depth);
    else if (Array.isArray(json)) this.writeItems(json, depth);
    else if (!writeSpecial(json, this, depth)) this.writeProperties(json, depth);
  }

  #writeNumber(value: number): void {
    if (!Number.isFinite(value)) this.out += 'null';
    else if (isCardValue(value)) this.out += `"${CENSOR}"`;
    else this.out += value;
  }
}
