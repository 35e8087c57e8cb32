// Parses only JSON that every parser reads alike. Of duplicate names, some parsers take the first value and others the
// last. A lone surrogate is kept by some and replaced by others, which makes two subjects equal there (RFC 8259 section
// 8.2). And a member `__proto__` would pollute a prototype if the object is merged carelessly later.

/** A JSON object from the strict parser. Read its members with {@link own}. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Deep enough for any claim. Bounds the recursion, so that a text of brackets cannot exhaust the stack. */
const MAX_DEPTH = 32;
/** With the flag `u`, a surrogate pair is one code point, so this matches only lone surrogates. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Returns the deeply frozen object; `undefined` for text that is not a JSON object, or is ambiguous between parsers. */
export function parseStrictObject(json: string): JsonObject | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // The error is dropped, since a JSON error quotes the text.
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // Decoded UTF-8 has no lone surrogates; only an escape can produce one.
  if (json.includes('\\u') && hasLoneSurrogate(value as JsonObject, 0)) return undefined;
  return countMembers(json) === freezeAndCount(value as JsonObject, 0) ? (value as JsonObject) : undefined;
}

/** The value of an own property. Inherited ones, such as `constructor`, are not members. */
export function own(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/**
 * Counts the members of all objects in valid JSON text, duplicates included: the colons outside of strings. `JSON.parse`
 * drops duplicates, so a different count means that there are some, at whatever depth and however their names are escaped.
 * Nested ones matter: the key that a token is bound to is in the nested object `cnf`.
 */
export function countMembers(json: string): number {
  let members = 0;
  for (let index = 0; index < json.length; index++) {
    switch (json.charCodeAt(index)) {
      case 0x22: // "
        for (index++; json.charCodeAt(index) !== 0x22; index++) if (json.charCodeAt(index) === 0x5c) index++;
        break;
      case 0x3a: // :
        members++;
    }
  }
  return members;
}

function hasLoneSurrogate(value: JsonObject, depth: number): boolean {
  if (depth > MAX_DEPTH) return true;
  return Object.entries(value).some(([name, item]) => {
    if (LONE_SURROGATE.test(name)) return true;
    if (typeof item === 'string') return LONE_SURROGATE.test(item);
    return typeof item === 'object' && item !== null && hasLoneSurrogate(item as JsonObject, depth + 1);
  });
}

/** Freezes the value deeply and returns how many members its objects have; NaN when it is too deep or has a `__proto__`. */
function freezeAndCount(value: JsonObject, depth: number): number {
  if (depth > MAX_DEPTH) return Number.NaN;
  const names = Object.keys(value);
  let members = Array.isArray(value) ? 0 : names.length;
  for (const name of names) {
    if (name === '__proto__') return Number.NaN;
    const item = value[name];
    if (typeof item === 'object' && item !== null) members += freezeAndCount(item as JsonObject, depth + 1);
  }
  Object.freeze(value);
  return members;
}
