import { CacheValueError } from './errors.ts';

/**
 * Who may modify a cached value. `share`: all readers get the same object and must not modify it. `freeze`: plain
 * objects and arrays are deeply frozen when they are stored, so that a modification throws in strict mode; class
 * instances are not. `clone`: each reader gets its own copy (`structuredClone`).
 */
export type Isolation = 'clone' | 'freeze' | 'share';

/** The value as it is kept. */
export function keptValue<T>(value: T, isolation: Isolation): T {
  if (isolation === 'clone') return clone(value);
  if (isolation === 'freeze') freeze(value);
  return value;
}

/** The value as it is handed out. */
export function handedValue<T>(value: T, isolation: Isolation): T {
  return isolation === 'clone' ? clone(value) : value;
}

function clone<T>(value: T): T {
  if (typeof value !== 'object' || value === null) {
    if (typeof value !== 'function' && typeof value !== 'symbol') return value;
  }
  try {
    return structuredClone(value);
  } catch (error) {
    throw new CacheValueError('The value cannot be cloned, as isolation "clone" asks for', error);
  }
}

function freeze(root: unknown): void {
  const open: unknown[] = [root];
  const seen = new Set<object>();
  while (open.length > 0) {
    const value = open.pop();
    if (!isPlain(value) || seen.has(value)) continue;
    seen.add(value);
    Object.freeze(value);
    for (const name of Reflect.ownKeys(value)) open.push((value as Record<PropertyKey, unknown>)[name]);
  }
}

/** What has its state in its own fields: for anything else, freezing would break it or protect nothing. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}
