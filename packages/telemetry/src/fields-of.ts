import { isError } from './is-error.ts';

/** Classes whose instances are logged as one value, since their data is not in enumerable properties. */
const VALUE_CLASSES = [Map, Set, Date, URL, RegExp, Promise, ArrayBuffer] as const;

/**
 * Returns the fields that the first argument of a log call stands for: an Error becomes the field `err`; an array, a Map,
 * a secret or another single value becomes the field `value`; any other object is the fields.
 */
export function fieldsOf(first: object): object {
  try {
    if (Array.isArray(first)) return { value: first };
    const prototype: unknown = Object.getPrototypeOf(first);
    if (prototype === Object.prototype || prototype === null) return first;
    if (isError(first)) return { err: first };
    const hasFields = !ArrayBuffer.isView(first) && !VALUE_CLASSES.some((type) => first instanceof type);
    return hasFields && typeof (first as { reveal?: unknown }).reveal !== 'function' ? first : { value: first };
  } catch {
    // A revoked Proxy, or one whose `getPrototypeOf` throws. The line writer handles it.
    return first;
  }
}
