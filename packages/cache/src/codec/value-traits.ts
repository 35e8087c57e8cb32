import { CacheValueError } from '../errors.ts';
import { isWellFormed } from '../well-formed.ts';

type ViewType = new (buffer: ArrayBuffer) => ArrayBufferView;

const VIEW_TYPES: readonly ViewType[] = [
  ...[Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array],
  ...[Float32Array, Float64Array, BigInt64Array, BigUint64Array, DataView],
];
/** Not available in every supported version of Node. */
const { Float16Array: Float16 } = globalThis as { Float16Array?: ViewType };

/** The view types by name. */
export const VIEWS: ReadonlyMap<string, ViewType> = new Map(
  [...VIEW_TYPES, ...(Float16 === undefined ? [] : [Float16])].map((type) => [type.name, type]),
);

const VIEW_PROTOTYPES: ReadonlySet<unknown> = new Set([...VIEWS.values()].map(({ prototype }) => prototype as unknown));
/** Built-in types whose state is not in their fields. They must not have fields in addition. */
const BUILT_IN_PROTOTYPES: ReadonlySet<unknown> = new Set(
  [Date, RegExp, ArrayBuffer, Map, Set].map((type) => type.prototype),
);

/** Finds out what a value consists of, as far as codecs differ in it. */
export class ValueTraits {
  /**
   * Whether JSON alone restores the value: no undefined, -0, NaN or bigint, only arrays and plain objects, and no
   * object twice.
   */
  isJson = true;
  hasBuffers = false;
  /**
   * Views that cover only a part of their buffer. The rest of the buffer is not part of the value and may belong to
   * others.
   */
  hasPartialViews = false;
  hasFloat16Arrays = false;
  hasSparseArrays = false;
  hasNullPrototypes = false;
  /** Text with lone surrogates, which UTF-8 cannot represent. */
  hasIllFormedText = false;
  readonly #pending: unknown[] = [];
  readonly #seen = new Set<object>();
  readonly #checksText: boolean;

  /**
   * @param checksText whether to look for text that is not well-formed
   * @throws CacheValueError for what no codec restores: functions, symbols, instances of other classes, arrays with
   *   extra fields
   */
  constructor(root: unknown, checksText: boolean) {
    this.#checksText = checksText;
    this.#visit(root);
    while (this.#pending.length > 0) this.#inspect(this.#pending.pop() as object);
  }

  #visit(value: unknown): void {
    switch (typeof value) {
      case 'string':
        if (this.#checksText && !isWellFormed(value)) this.hasIllFormedText = true;
        return;
      case 'number':
        if (!Number.isFinite(value) || Object.is(value, -0)) this.isJson = false;
        return;
      case 'undefined':
      case 'bigint':
        this.isJson = false;
        return;
      case 'function':
      case 'symbol':
        throw new CacheValueError(`A ${typeof value} cannot be stored`);
      case 'object':
        if (value !== null) this.#enqueue(value);
    }
  }

  #enqueue(value: object): void {
    if (this.#seen.has(value)) {
      this.isJson = false;
      return;
    }
    this.#seen.add(value);
    this.#pending.push(value);
  }

  #inspect(value: object): void {
    if (Array.isArray(value) && Object.getPrototypeOf(value) === Array.prototype) this.#inspectArray(value);
    else if (Object.getPrototypeOf(value) === Object.prototype) this.#inspectFields(value as Record<string, unknown>);
    else this.#inspectOther(value);
  }

  #inspectArray(list: readonly unknown[]): void {
    const keys = Object.keys(list);
    const last = keys.at(-1);
    // Extra fields come after all indexes. The result of a `RegExp` match is such an array.
    if (last !== undefined && (last !== String(Number(last) >>> 0) || Number(last) >= list.length))
      throw new CacheValueError('An array with extra fields cannot be stored');
    rejectSymbolFields(list);
    if (keys.length !== list.length) {
      this.hasSparseArrays = true;
      this.isJson = false;
      for (const key of keys) this.#visit(list[Number(key)]);
    } else for (const item of list) this.#visit(item);
  }

  #inspectFields(value: Record<string, unknown>): void {
    for (const name of Object.keys(value)) {
      // Codecs drop or rename this field as a defence against prototype pollution.
      if (name === '__proto__') throw new CacheValueError('A field called __proto__ cannot be stored');
      if (this.#checksText && !isWellFormed(name)) this.hasIllFormedText = true;
      this.#visit(value[name]);
    }
    rejectSymbolFields(value);
    // It may be inherited or non-enumerable, and JSON.stringify calls it all the same.
    if (typeof value['toJSON'] === 'function') throw new CacheValueError('An object with toJSON cannot be stored');
  }

  #inspectOther(value: object): void {
    this.isJson = false;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null) {
      this.hasNullPrototypes = true;
      this.#inspectFields(value as Record<string, unknown>);
    } else if (Buffer.isBuffer(value)) this.hasBuffers = true;
    else if (VIEW_PROTOTYPES.has(prototype)) {
      const { byteLength, buffer } = value as ArrayBufferView;
      if (byteLength !== buffer.byteLength) this.hasPartialViews = true;
      if (Float16 !== undefined && prototype === Float16.prototype) this.hasFloat16Arrays = true;
    } else if (BUILT_IN_PROTOTYPES.has(prototype)) this.#inspectBuiltIn(value);
    // Includes subclasses of the built-in types: they would be restored as the base type.
    else throw new CacheValueError(`An instance of ${className(value)} cannot be stored`);
  }

  #inspectBuiltIn(value: object): void {
    if (Object.keys(value).length > 0) throw new CacheValueError(`A ${className(value)} with fields cannot be stored`);
    rejectSymbolFields(value);
    if (value instanceof Set) for (const item of value) this.#visit(item);
    else if (value instanceof Map) {
      for (const [key, item] of value) {
        this.#visit(key);
        this.#visit(item);
      }
    } else if (value instanceof RegExp && value.lastIndex !== 0) {
      throw new CacheValueError('A RegExp with a lastIndex other than 0 cannot be stored');
    }
  }
}

function rejectSymbolFields(value: object): void {
  if (Object.getOwnPropertySymbols(value).length > 0)
    throw new CacheValueError('A field named by a symbol cannot be stored');
}

function className(value: object): string {
  const { name } = (value.constructor ?? {}) as { name?: unknown };
  return typeof name === 'string' && name !== '' ? name : 'a class';
}
