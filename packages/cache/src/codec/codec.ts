import { CacheValueError } from '../errors.ts';

/**
 * Turns values into bytes and back. What comes back is deeply equal to what went in, including Date, Map, Set, BigInt, typed
 * arrays and undefined fields; what cannot come back so is refused when it goes in.
 */
export interface Codec {
  /** Stands with the bytes: another codec, or another version of this one, will not read them. */
  readonly id: string;
  /** @throws CacheValueError `MAC_CACHE_VALUE` for a value that would not come back as it is */
  encode(value: unknown): Uint8Array;
  /** Throws whatever it likes for bytes it cannot read. */
  decode(bytes: Uint8Array): unknown;
}

const WHOLE = [Date, RegExp, ArrayBuffer] as const;

/** Throws {@link CacheValueError} for what no codec brings back: functions, symbols and instances of other classes. */
export function assertStorable(root: unknown): void {
  const open: unknown[] = [root];
  const seen = new Set<object>();
  while (open.length > 0) {
    const value = open.pop();
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new CacheValueError(`A ${typeof value} cannot be stored`);
    }
    if (typeof value !== 'object' || value === null || seen.has(value)) continue;
    seen.add(value);
    if (ArrayBuffer.isView(value) || WHOLE.some((type) => value instanceof type)) continue;
    if (value instanceof Map) open.push(...value.keys(), ...value.values());
    else if (value instanceof Set || Array.isArray(value)) open.push(...value);
    else if (isPlain(value)) open.push(...Object.values(value));
    else throw new CacheValueError(`An instance of ${value.constructor?.name ?? 'a class'} cannot be stored`);
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype === Object.prototype || prototype === null) && Object.getOwnPropertySymbols(value).length === 0;
}
