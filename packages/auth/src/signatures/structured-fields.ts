// Structured fields (RFC 9651), parsed more strictly than the standard requires, so that a signed field means the same
// to every parser. The only file that imports structured-headers.
import {
  type Dictionary,
  type InnerList,
  type Item,
  parseDictionary,
  parseItem,
  parseList,
  serializeDictionary,
  serializeInnerList,
  serializeItem,
  serializeList,
} from 'structured-headers';

/** Parameters of an item, in their order. */
export type FieldParameters = Item[1];
/** A member of a dictionary: one item, or a list of them. */
export type FieldMember = Item | InnerList;
export type { InnerList };
/** The type of a structured field (RFC 9651). */
export type FieldKind = 'item' | 'list' | 'dictionary';

/** Parses a dictionary; `undefined` when it is malformed, or has a duplicate key or parameter. */
export function parseStrictDictionary(text: string): ReadonlyMap<string, FieldMember> | undefined {
  const dictionary = tryParse(text, parseDictionary);
  return dictionary !== undefined && hasUniqueNames(text, dictionary) ? dictionary : undefined;
}

/** Parses an item; `undefined` when it is malformed, or has a duplicate parameter. */
export function parseStrictItem(text: string): Item | undefined {
  const item = tryParse(text, parseItem);
  return item !== undefined && countParameters([item]) === countSeparators(text).semicolons ? item : undefined;
}

/** Whether a member of a dictionary is a list of items. */
export function isInnerList(member: FieldMember): member is InnerList {
  return Array.isArray(member[0]);
}

export { serializeInnerList, serializeItem };

/** Serializes a dictionary with one member. */
export function serializeMember(name: string, member: FieldMember): string {
  return serializeDictionary(new Map([[name, member]]));
}

/**
 * Parses a field and serializes it in its canonical form (RFC 9421 section 2.1.1); `undefined` when it cannot be
 * parsed.
 */
export function reserialize(text: string, kind: FieldKind): string | undefined {
  const exact = withMarkedValues(text);
  const serialized = exact && SERIALIZERS[kind](exact.marked);
  return serialized === undefined ? undefined : exact?.restore(serialized);
}

/** Serializes one member of a dictionary in its canonical form (RFC 9421 section 2.1.2); `undefined` when there is none. */
export type MemberSerializer = (name: string) => string | undefined;

/** Parses a dictionary once for all of its members that will be serialized. It has none when it cannot be parsed. */
export function memberSerializer(text: string): MemberSerializer {
  const exact = withMarkedValues(text);
  const dictionary = exact && parseStrictDictionary(exact.marked);
  return (name) => {
    const member = dictionary?.get(name);
    return member && exact?.restore(isInnerList(member) ? serializeInnerList(member) : serializeItem(member));
  };
}

/**
 * Matches a string, in which a backslash escapes, or a display string, in which it does not. An unterminated one matches to
 * the end of the text: otherwise the search for an end would start again at each quote and take quadratic time.
 */
const STRING = /%"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)/g;
/** Matches a string, or a value that the library does not preserve: a decimal with a zero fraction, or a date. */
const STRING_OR_INEXACT =
  /%"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|(?<![\w!#$%&'*+.^`|~:/@-])(?:(-?)(\d{1,12})\.0{1,3}|@(-?)(\d{1,15}))(?![\w!#$%&'*+.^`|~:/@-])/g;

/** The library drops this mark at the start of a display string, so two different values would be serialized alike. */
const BYTE_ORDER_MARK = '%"%ef%bb%bf';

/** A text in which values that the library does not preserve are replaced, and the way back once it was serialized. */
interface MarkedText {
  readonly marked: string;
  restore(serialized: string): string;
}

/**
 * Replaces values that the library does not preserve by text with a marker that occurs nowhere else: it reads the decimal
 * `1.0` as the integer `1`, reads dates only at the end of the text and within its range, and writes the first 16 control
 * characters of a display string with one digit, `%0a` as `%a`. `undefined` for a text with a mark that it drops.
 */
function withMarkedValues(text: string): MarkedText | undefined {
  if (text.includes(BYTE_ORDER_MARK)) return undefined;
  // In a display string the mark can also be written encoded; it is not encoded any more when it is serialized.
  const decoded = text.replaceAll('%44', 'D');
  const longest = Math.max(0, ...(decoded.match(/D+/g) ?? []).map(({ length }) => length));
  const mark = 'D'.repeat(longest + 1);
  const canonicalInteger = (sign: string, digits: string): string => {
    const digitsOnly = digits.replace(/^0+(?=\d)/, '');
    return digitsOnly === '0' ? digitsOnly : sign + digitsOnly;
  };
  const marked = text.replaceAll(
    STRING_OR_INEXACT,
    (found: string, sign: string, whole?: string, dateSign = '', date?: string) => {
      if (whole !== undefined) return `${mark}${canonicalInteger(sign, whole)}.0`;
      if (date !== undefined) return `${mark}T${canonicalInteger(dateSign, date)}`;
      return found.startsWith('%') ? found.replaceAll(/%0(?=[\da-f])/g, `${mark}C`) : found;
    },
  );
  return {
    marked,
    restore: (serialized) => serialized.replaceAll(`${mark}C`, '%0').replaceAll(`${mark}T`, '@').replaceAll(mark, ''),
  };
}

const SERIALIZERS: Readonly<Record<FieldKind, (text: string) => string | undefined>> = {
  item(text) {
    const item = parseStrictItem(text);
    return item && serializeItem(item);
  },
  list(text) {
    const list = tryParse(text, parseList);
    return list !== undefined && countParameters(list) === countSeparators(text).semicolons
      ? serializeList(list)
      : undefined;
  },
  dictionary(text) {
    const dictionary = parseStrictDictionary(text);
    return dictionary && serializeDictionary(dictionary as Dictionary);
  },
};

function tryParse<T>(text: string, parse: (text: string) => T): T | undefined {
  let parsed: T;
  try {
    parsed = parse(text);
  } catch {
    return undefined;
  }
  return hasUnrepresentableDate(text) ? undefined : parsed;
}

/** The largest date that the library can represent, in seconds. */
const MAX_DATE = 8_640_000_000_000;

/** The library parses every larger date as an invalid one and would serialize them all alike. For text that was parsed. */
function hasUnrepresentableDate(text: string): boolean {
  if (!text.includes('@')) return false;
  const dates = text.replaceAll(STRING, '""').matchAll(/@-?(\d+)/g);
  return [...dates].some(([, seconds]) => Number(seconds) > MAX_DATE);
}

/** The library keeps the last of duplicate names, other parsers the first. Counting the separators detects duplicates. */
function hasUniqueNames(text: string, dictionary: Dictionary): boolean {
  const { commas, semicolons } = countSeparators(text);
  return (
    dictionary.size === (dictionary.size === 0 ? 0 : commas + 1) && countParameters(dictionary.values()) === semicolons
  );
}

function countParameters(members: Iterable<FieldMember>): number {
  let count = 0;
  for (const member of members) {
    count += member[1].size;
    if (isInnerList(member)) count += countParameters(member[0]);
  }
  return count;
}

/** Counts separators outside of strings, in text that was parsed. */
function countSeparators(text: string): { commas: number; semicolons: number } {
  const outside = text.replaceAll(STRING, '""');
  return { commas: outside.split(',').length - 1, semicolons: outside.split(';').length - 1 };
}
