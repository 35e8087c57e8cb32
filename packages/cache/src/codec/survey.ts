import { CacheValueError } from '../errors.ts';
import { isWellFormed } from '../well-formed.ts';

type ViewType = new (buffer: ArrayBuffer) => ArrayBufferView;

const VIEW_TYPES: readonly ViewType[] = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView],
];
/** Not in every version of Node. */
const { Float16Array: HalfFloats } = globalThis as { Float16Array?: ViewType };

/** Views of bytes, by name. */
export const VIEWS: ReadonlyMap<string, ViewType> = new Map(
  [...VIEW_TYPES, ...(HalfFloats === undefined ? [] : [HalfFloats])].map((type) => [type.name, type]),
);

const VIEW_PROTOTYPES: ReadonlySet<unknown> = new Set([...VIEWS.values()].map(({ prototype }) => prototype as unknown));
/** What has a state of its own, and may have no fields beside it. */
const WHOLE_PROTOTYPES: ReadonlySet<unknown> = new Set(
  [Date, RegExp, ArrayBuffer, Map, Set].map((type) => type.prototype),
);

/** What kinds of things a value is made of: what codecs differ in. */
export class Survey {
  /** JSON alone would bring it back: no undefined, -0, NaN or bigint, no type but lists and objects, nothing twice. */
  json = true;
  buffers = false;
  /** Views of a part of their bytes: what is beside that part is not of the value, and may be of anybody. */
  parts = false;
  halfFloats = false;
  holes = false;
  nullPrototypes = false;
  /** Text that UTF-8 cannot hold. */
  illFormed = false;
  readonly #open: unknown[] = [];
  readonly #seen = new Set<object>();
  readonly #readsTexts: boolean;

  /**
   * @param readsTexts whether to look for text that is not well-formed
   * @throws CacheValueError for what no codec brings back: functions, symbols, instances of other classes, lists with fields
   */
  constructor(root: unknown, readsTexts: boolean) {
    this.#readsTexts = readsTexts;
    this.#visit(root);
    while (this.#open.length > 0) this.#enter(this.#open.pop() as object);
  }

  #visit(value: unknown): void {
    switch (typeof value) {
      case 'string':
        if (this.#readsTexts && !isWellFormed(value)) this.illFormed = true;
        return;
      case 'number':
        if (!Number.isFinite(value) || Object.is(value, -0)) this.json = false;
        return;
      case 'undefined':
      case 'bigint':
        this.json = false;
        return;
      case 'function':
      case 'symbol':
        throw new CacheValueError(`A ${typeof value} cannot be stored`);
      case 'object':
        if (value !== null) this.#meet(value);
    }
  }

  #meet(value: object): void {
    if (this.#seen.has(value)) {
      this.json = false;
      return;
    }
    this.#seen.add(value);
    this.#open.push(value);
  }

  #enter(value: object): void {
    if (Array.isArray(value) && Object.getPrototypeOf(value) === Array.prototype) this.#list(value);
    else if (Object.getPrototypeOf(value) === Object.prototype) this.#fields(value as Record<string, unknown>);
    else this.#other(value);
  }

  #list(list: readonly unknown[]): void {
    const keys = Object.keys(list);
    if (keys.length !== list.length) {
      const last = keys.at(-1);
      // Fields come after all indexes. A match of a regular expression is such a list.
      if (last !== undefined && !(Number(last) < list.length))
        throw new CacheValueError('A list with fields cannot be stored');
      this.holes = true;
      this.json = false;
      for (const key of keys) this.#visit(list[Number(key)]);
    } else for (const item of list) this.#visit(item);
  }

  #fields(value: Record<string, unknown>): void {
    for (const name of Object.keys(value)) {
      // Codecs drop or rename it, for the sake of those who would set a prototype with it.
      if (name === '__proto__') throw new CacheValueError('A field called __proto__ cannot be stored');
      if (this.#readsTexts && !isWellFormed(name)) this.illFormed = true;
      this.#visit(value[name]);
    }
    if (Object.getOwnPropertySymbols(value).length > 0)
      throw new CacheValueError('A field named by a symbol cannot be stored');
    // Not among the fields when it is hidden, and asked all the same by whoever writes JSON.
    if (typeof value['toJSON'] === 'function') throw new CacheValueError('An object with toJSON cannot be stored');
  }

  #other(value: object): void {
    this.json = false;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null) {
      this.nullPrototypes = true;
      this.#fields(value as Record<string, unknown>);
    } else if (Buffer.isBuffer(value)) this.buffers = true;
    else if (VIEW_PROTOTYPES.has(prototype)) {
      const { byteLength, buffer } = value as ArrayBufferView;
      if (byteLength !== buffer.byteLength) this.parts = true;
      if (HalfFloats !== undefined && prototype === HalfFloats.prototype) this.halfFloats = true;
    } else if (WHOLE_PROTOTYPES.has(prototype)) this.#whole(value);
    // Also of a class made from one of those: it would come back as what it was made from.
    else throw new CacheValueError(`An instance of ${nameOf(value)} cannot be stored`);
  }

  #whole(value: object): void {
    if (Object.keys(value).length > 0) throw new CacheValueError(`A ${nameOf(value)} with fields cannot be stored`);
    if (value instanceof Set) for (const item of value) this.#visit(item);
    else if (value instanceof Map) {
      for (const [key, item] of value) {
        this.#visit(key);
        this.#visit(item);
      }
    } else if (value instanceof RegExp && value.lastIndex !== 0) {
      throw new CacheValueError('A RegExp that is in the middle of a text cannot be stored');
    }
  }
}

function nameOf(value: object): string {
  const { name } = (value.constructor ?? {}) as { name?: unknown };
  return typeof name === 'string' && name !== '' ? name : 'a class';
}
