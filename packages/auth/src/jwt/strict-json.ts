// JSON that every reader reads alike. A name given twice is one value to one reader and another to the next; half of a
// surrogate pair is itself to one, a question mark to the next, and so two subjects are one there (RFC 8259 section 8.2);
// and a `__proto__` waits for a careless merge further on.

/** A JSON object that was read strictly: own properties only may be trusted. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deep enough for any claim; a text made of brackets must not exhaust the stack. */
const DEEPEST = 32;
/** A surrogate that is not one of a pair. */
const HALF_PAIR = /\p{Surrogate}/u;

/** The object that a text is, frozen to the bottom; `undefined` for what is none, or not one for every reader. */
export function readStrictObject(json: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // What is wrong is left out: a JSON error quotes the text.
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // Text is whole as it is decoded; only an escape can be half of a pair.
  if (json.includes('\\u') && hasHalfPair(value as JsonObject, 0)) return undefined;
  return membersIn(json) === freeze(value as JsonObject, 0) ? (value as JsonObject) : undefined;
}

/** The value of an own property: `constructor` and the like are not claims. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/**
 * How many members the objects of valid JSON text have in all, counting a name given twice as two. `JSON.parse` keeps the
 * last of them, other parsers the first; comparing the counts finds such texts whatever way the names are escaped, and
 * however deep: whose key a token is bound to is said in an object of its own.
 */
export function membersIn(json: string): number {
  let members = 0;
  for (let at = 0; at < json.length; at++) {
    switch (json.charCodeAt(at)) {
      case 0x22: // "
        for (at++; json.charCodeAt(at) !== 0x22; at++) if (json.charCodeAt(at) === 0x5c) at++;
        break;
      case 0x3a: // :
        members++;
    }
  }
  return members;
}

function hasHalfPair(value: JsonObject, depth: number): boolean {
  if (depth > DEEPEST) return true;
  return Object.entries(value).some(([name, item]) => {
    if (HALF_PAIR.test(name)) return true;
    if (typeof item === 'string') return HALF_PAIR.test(item);
    return typeof item === 'object' && item !== null && hasHalfPair(item as JsonObject, depth + 1);
  });
}

/**
 * Freezes all of it, and tells how many members its objects have. Not a number when it is too deep or has a `__proto__`.
 */
function freeze(value: JsonObject, depth: number): number {
  if (depth > DEEPEST) return Number.NaN;
  const names = Object.keys(value);
  let members = Array.isArray(value) ? 0 : names.length;
  for (const name of names) {
    if (name === '__proto__') return Number.NaN;
    const item = value[name];
    if (typeof item === 'object' && item !== null) members += freeze(item as JsonObject, depth + 1);
  }
  Object.freeze(value);
  return members;
}
