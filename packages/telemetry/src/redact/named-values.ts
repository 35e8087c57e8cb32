import { CENSOR } from '../sensitive.ts';
import type { KeyRules } from './key-rules.ts';

// Redacts credentials in text that follow their name, such as `password=…`. Every expression runs in linear time: see
// `text-rules.ts`.

/** A syntax for a name and its value. */
interface Notation {
  /** Matches up to the value (or to `between`); the first group is the name. */
  readonly name: RegExp;
  /** Matches what separates name and value, where that is long. Only searched for after a sensitive name, to save time. */
  readonly between?: RegExp;
  /** Matches the value from its beginning; the first group that matched is the quote around it. */
  readonly value: RegExp;
}

/** A value, up to its end or the end of the text. `endOfNested` finds the end of a list or an object. */
const VALUE =
  /(\\{1,3}")[^"]*(?:"|$)|(")(?:[^"\\]|\\.)*(?:"|$)|(')[^']*(?:'|$)|(?:(?:bearer|basic|dpop|token)\s{1,4})?[^\s,;&"'{}[\]()<>\\]+/iy;

/** `name=value`, `--name=value`, `form[name]=value`, `name: value`, `"name":"value"`, `'name' => 'value'`, and the same inside JSON inside JSON. */
const PAIR: Notation = {
  name: /(?<![\w.-])-{0,2}([A-Za-z_][\w.-]{0,63})\]?\\{0,3}["']?\s{0,4}(?::|=>?)\s{0,4}/g,
  value: VALUE,
};

/** Words that follow the name of an option in a sentence about it, and so are no credentials. */
const PROSE = [
  'a|an|and|or|but|nor|the|this|that|which|if|unless|when|while|because|once|twice|only|instead|also|already|then|than',
  'to|for|in|from|with|without|on|of|at|by|as|via|before|after|not|must|can|cannot|could|may|might|should|will|would',
  'is|was|are|were|be|been|has|have|had|does|did|needs?|requires?|required|expects?|expected|takes?|accepts?|given|missing',
  'option|flag|argument|parameter|setting|value|variable',
].join('|');

/**
 * `--name value`, `-name "value"`, `["--name","value"]` and `--name,value`. The value is neither another option nor a word
 * of prose. After a comma and a blank it must be quoted, like the name; otherwise a sentence goes on there.
 */
const OPTION: Notation = {
  name: new RegExp(
    `(?<![\\w.-])-{1,2}([A-Za-z][\\w.-]{0,63})(?:\\\\{0,3}["']?\\s{1,4}|\\\\{0,3}["']\\s{0,4},\\s{0,4}(?=\\\\{0,3}["'])|,)(?!\\\\{0,3}["']?-|(?:${PROSE})\\b)`,
    'g',
  ),
  value: VALUE,
};
/** Whether a text may contain an option. Cheaper than the search for sensitive names. */
export const MAYBE_OPTION: RegExp = /(?<![\w.-])-{1,2}[A-Za-z]/;

/** `{"name":"x","value":"y"}`, as in HTTP archives (HAR) and in the environment of a container, also as YAML. */
const ENTRY: Notation = {
  name: /\b(?:name|key)\\{0,3}["']?\s{0,4}[:=]\s{0,4}\\{0,3}["']?([A-Za-z_][\w.-]{0,63})\\{0,3}["']?\s{0,4},?\s{0,16}\\{0,3}["']?value\\{0,3}["']?\s{0,4}[:=]\s{0,4}/gi,
  value: VALUE,
};

/**
 * `<name>value</name>`, with a namespace prefix and attributes. Does not match a type such as `Promise<Token>`, which
 * follows a word, nor a placeholder such as in `missing <token> in line 3`, which is followed by a blank and never closed.
 */
const ELEMENT: Notation = {
  name: /(?<!\w)<(?:[\w.-]{1,64}:)?([A-Za-z_][\w.-]{0,63})(?:\s[^<>]{0,256})?>/g,
  value: /(?:<!\[CDATA\[[\s\S]*?(?:\]\]>|$)|[^<]+(?=<\/)|(?![ \t])[^<]+$)(?=<\/|$)/y,
};

/** A field of a `multipart/form-data` body. */
const PART: Notation = {
  name: /\bform-data;[^\r\n]{0,128}?\bname="?([\w.[\]-]{1,64})/g,
  between: /[^\r\n]{0,256}(?:\r?\n[^\r\n]{1,256}){0,4}\r?\n\r?\n/y,
  value: /[\s\S]+?(?=\r?\n--|$)/y,
};

/** Redacts the values of pairs, entries and form fields whose names are sensitive. */
export function censorPairs(text: string, keys: KeyRules): string {
  const mayContainJwk = text.includes('kty');
  let out = text;
  // Before the pairs, for which the name of the field would be the value of `name`.
  if (out.includes('form-data')) out = censorAfter(PART, out, (name) => keys.isSensitive(name));
  if (out.includes('value')) out = censorAfter(ENTRY, out, (name) => keys.isSensitive(name));
  return censorAfter(PAIR, out, (name, before) => {
    if (mayContainJwk && keys.isSensitiveInJwk(name)) return true;
    return before === '?' || before === '&' ? keys.isSensitiveInQuery(name) : keys.isSensitive(name);
  });
}

/** Redacts the values of command options whose names are sensitive. */
export function censorOptions(text: string, keys: KeyRules): string {
  return censorAfter(OPTION, text, (name) => keys.isSensitive(name));
}

/** Redacts the content of XML elements whose names are sensitive. */
export function censorElements(text: string, keys: KeyRules): string {
  return censorAfter(ELEMENT, text, (name) => keys.isSensitive(name));
}

/**
 * Redacts the value after each sensitive name. The search goes on after that value, but inside of the value of any other
 * name, since values can contain pairs.
 *
 * @param isSensitive gets the name and the character before it.
 */
function censorAfter(
  { name: names, between, value: values }: Notation,
  text: string,
  isSensitive: (name: string, before?: string) => boolean,
): string {
  let out = '';
  let done = 0;
  names.lastIndex = 0;
  for (let found = names.exec(text); found !== null; found = names.exec(text)) {
    if (!isSensitive(found[1] ?? '', text[found.index - 1])) continue;
    const from = between === undefined ? names.lastIndex : endOf(between, text, names.lastIndex);
    if (from < 0) continue;
    let quote = '';
    let end = endOfNested(text, from);
    if (end === from) {
      values.lastIndex = from;
      const value = values.exec(text);
      if (value === null) continue;
      quote = value[1] ?? value[2] ?? value[3] ?? '';
      end = values.lastIndex;
    }
    out += `${text.slice(done, from)}${quote}${CENSOR}${quote}`;
    done = end;
    names.lastIndex = end;
  }
  return done === 0 ? text : out + text.slice(done);
}

/** Returns the end of the match that begins at `from`, or -1. */
function endOf(sticky: RegExp, text: string, from: number): number {
  sticky.lastIndex = from;
  return sticky.test(text) ? sticky.lastIndex : -1;
}

/** Returns the end of the list or object that begins at `from`, or of the text if it is not closed; `from` if there is none. */
function endOfNested(text: string, from: number): number {
  let depth = 0;
  let quoted = false;
  for (let i = from; i < text.length; i++) {
    const character = text[i];
    if (character === '\\') i++;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === '[' || character === '{')) depth++;
    else if (!quoted && (character === ']' || character === '}') && --depth <= 0) return i + 1;
    if (depth === 0) return from;
  }
  return text.length;
}
