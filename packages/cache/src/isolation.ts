import { CacheValueError } from './errors.ts';

/**
 * Who may modify a cached value. `share`: all readers get the same object and must not modify it. `freeze`: plain
 * objects and arrays are deeply frozen when they are stored, so that a modification throws in strict mode; class
 * instances are not. `clone`: each reader gets its own copy (`structuredClone`).
 */
export type Isolation = 'clone' | 'freeze' | 'share';

/** The value to store. */
export function isolateForStorage<T>(value: T, isolation: Isolation): T {
  if (isolation === 'clone') return clone(value);
  if (isolation === 'freeze') deepFreeze(value);
  return value;
}

/** The value to give to a reader. */
export function isolateForReader<T>(value: T, isolation: Isolation): T {
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

function deepFreeze(root: unknown): void {
  const pending: unknown[] = [root];
  const seen = new Set<object>();
  while (pending.length > 0) {
    const value = pending.pop();
    if (!isPlain(value) || seen.has(value)) continue;
    seen.add(value);
    Object.freeze(value);
    for (const name of Reflect.ownKeys(value)) pending.push((value as Record<PropertyKey, unknown>)[name]);
  }
}

/** Whether the state of the object is in its own fields. Freezing anything else would break it or protect nothing. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Array.isArray(value);
}
