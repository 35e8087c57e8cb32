// Structured fields (RFC 9651), read more strictly than the standard: what is signed must mean one thing to every reader.
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

/** A dictionary; `undefined` when it is none, or names a member or a parameter twice. */
export function readDictionary(text: string): ReadonlyMap<string, FieldMember> | undefined {
  const dictionary = attempt(text, parseDictionary);
  return dictionary !== undefined && namesOnce(text, dictionary) ? dictionary : undefined;
}

/** An item with its parameters; `undefined` when it is none, or names a parameter twice. */
export function readItem(text: string): Item | undefined {
  const item = attempt(text, parseItem);
  return item !== undefined && parametersIn([item]) === separators(text).semicolons ? item : undefined;
}

/** Whether a member of a dictionary is a list of items. */
export function isInnerList(member: FieldMember): member is InnerList {
  return Array.isArray(member[0]);
}

/** A list of items and its parameters, as it is written in a signature base. */
export function writeInnerList(list: InnerList): string {
  return serializeInnerList(list);
}

/** An item and its parameters. */
export function writeItem(item: Item): string {
  return serializeItem(item);
}

/** A dictionary with one member. */
export function writeDictionary(name: string, member: FieldMember): string {
  return serializeDictionary(new Map([[name, member]]));
}

/**
 * A field in the one spelling that its value has (RFC 9421 section 2.1.1); `undefined` when it cannot be read as such, or
 * names something twice.
 */
export function rewrite(text: string, kind: FieldKind): string | undefined {
  return faithfully(text, READERS[kind]);
}

/** One member of a dictionary in the one spelling that its value has; `undefined` when there is none. */
export function rewriteMember(text: string, name: string): string | undefined {
  return faithfully(text, (dictionary) => {
    const member = readDictionary(dictionary)?.get(name);
    return member && (isInnerList(member) ? serializeInnerList(member) : serializeItem(member));
  });
}

/**
 * A string, in which a backslash escapes, or a display string, in which it does not. One without an end takes all that is
 * left: looking for the end from each quote anew would take quadratic time.
 */
const STRING = /%"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)/g;
/** Either, or what the parser does not take as it is: a decimal without a fraction, a date. Neither is part of a token. */
const STRING_OR_UNTAKEN =
  /%"[^"]*(?:"|$)|"(?:[^"\\]|\\.)*(?:"|\\?$)|(?<![\w!#$%&'*+.^`|~:/@-])(?:(-?)(\d{1,12})\.0{1,3}|@(-?)(\d{1,15}))(?![\w!#$%&'*+.^`|~:/@-])/g;

/** The parser drops this mark where a display string begins, so that two values would be written as one. */
const BYTE_ORDER_MARK = '%"%ef%bb%bf';

/**
 * The parser takes the decimal `1.0` for the integer `1`, and dates only at the end of the text and of some millennia: such
 * go through it as tokens, marked as nothing else is.
 */
function faithfully(text: string, write: (text: string) => string | undefined): string | undefined {
  if (text.includes(BYTE_ORDER_MARK)) return undefined;
  const longest = Math.max(0, ...(text.match(/D+/g) ?? []).map(({ length }) => length));
  const mark = 'D'.repeat(longest + 1);
  const plain = (sign: string, digits: string): string => {
    const least = digits.replace(/^0+(?=\d)/, '');
    return least === '0' ? least : sign + least;
  };
  const marked = text.replaceAll(
    STRING_OR_UNTAKEN,
    (found: string, sign: string, whole?: string, dateSign = '', date?: string) => {
      if (whole !== undefined) return `${mark}${plain(sign, whole)}.0`;
      return date === undefined ? found : `${mark}T${plain(dateSign, date)}`;
    },
  );
  return write(marked)?.replaceAll(`${mark}T`, '@').replaceAll(mark, '');
}

const READERS: Readonly<Record<FieldKind, (text: string) => string | undefined>> = {
  item(text) {
    const item = readItem(text);
    return item && serializeItem(item);
  },
  list(text) {
    const list = attempt(text, parseList);
    return list !== undefined && parametersIn(list) === separators(text).semicolons ? serializeList(list) : undefined;
  },
  dictionary(text) {
    const dictionary = readDictionary(text);
    return dictionary && serializeDictionary(dictionary as Dictionary);
  },
};

function attempt<T>(text: string, parse: (text: string) => T): T | undefined {
  let parsed: T;
  try {
    parsed = parse(text);
  } catch {
    return undefined;
  }
  return hasEndlessDate(text) ? undefined : parsed;
}

/** The last second that the parser can hold, some 270 000 years from now. */
const LAST_DATE = 8_640_000_000_000;

/** Beyond, it takes every date for none at all and would write them all as one. In text that was parsed already. */
function hasEndlessDate(text: string): boolean {
  if (!text.includes('@')) return false;
  const dates = text.replaceAll(STRING, '""').matchAll(/@-?(\d+)/g);
  return [...dates].some(([, seconds]) => Number(seconds) > LAST_DATE);
}

/** Of a name given twice the parser keeps the last, others the first; counting what was written finds them all. */
function namesOnce(text: string, dictionary: Dictionary): boolean {
  const { commas, semicolons } = separators(text);
  return (
    dictionary.size === (dictionary.size === 0 ? 0 : commas + 1) && parametersIn(dictionary.values()) === semicolons
  );
}

function parametersIn(members: Iterable<FieldMember>): number {
  let count = 0;
  for (const member of members) {
    count += member[1].size;
    if (isInnerList(member)) count += parametersIn(member[0]);
  }
  return count;
}

/** What separates names, outside of strings, in text that was parsed already. */
function separators(text: string): { commas: number; semicolons: number } {
  const outside = text.replaceAll(STRING, '""');
  return { commas: outside.split(',').length - 1, semicolons: outside.split(';').length - 1 };
}
