/** What is no record of fields, although its type is `object`: logged whole, under one name. */
const WHOLE = [Map, Set, Date, URL, RegExp, Promise, ArrayBuffer] as const;

/** The fields that the first argument of a log call stands for: an Error is `err`, a list or a Map is `value`. */
export function fieldsOf(first: object): object {
  try {
    if (Array.isArray(first)) return { value: first };
    const prototype: unknown = Object.getPrototypeOf(first);
    if (prototype === Object.prototype || prototype === null) return first;
    if (first instanceof Error) return { err: first };
    const hasFields = !ArrayBuffer.isView(first) && !WHOLE.some((type) => first instanceof type);
    return hasFields && typeof (first as { reveal?: unknown }).reveal !== 'function' ? first : { value: first };
  } catch {
    // A revoked Proxy, or one whose prototype may not be asked for.
    return first;
  }
}
