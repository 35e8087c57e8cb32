import { CENSOR } from '../sensitive.ts';
import type { KeyRules } from './key-rules.ts';

// Credentials in text that are known by the name before them. Every expression is linear: see `text-rules.ts`.

/** A way to write a name and its value: the name is the first group, and what comes next begins where the match ends. */
interface Notation {
  readonly name: RegExp;
  /** What lies between the two, where it is long: sought after a sensitive name only, or each name of a text would cost it. */
  readonly between?: RegExp;
  /** What the value is, from where it begins; the first group that is there is the quote around it. */
  readonly value: RegExp;
}

/** What stands after a name, up to its end or the end of the text. A list or an object is taken apart by `endOfNested`. */
const VALUE =
  /(\\{1,3}")[^"]*(?:"|$)|(")(?:[^"\\]|\\.)*(?:"|$)|(')[^']*(?:'|$)|(?:(?:bearer|basic|dpop|token)\s{1,4})?[^\s,;&"'{}[\]()<>\\]+/iy;

/** `name=value`, `--name=value`, `form[name]=value`, `name: value`, `"name":"value"`, `'name' => 'value'`, and the same inside JSON inside JSON. */
const PAIR: Notation = {
  name: /(?<![\w.-])-{0,2}([A-Za-z_][\w.-]{0,63})\]?\\{0,3}["']?\s{0,4}(?::|=>?)\s{0,4}/g,
  value: VALUE,
};

/** What comes after the name of an option in a sentence about it, and is nobody's credential. */
const PROSE = [
  'a|an|and|or|but|nor|the|this|that|which|if|unless|when|while|because|once|twice|only|instead|also|already|then|than',
  'to|for|in|from|with|without|on|of|at|by|as|via|before|after|not|must|can|cannot|could|may|might|should|will|would',
  'is|was|are|were|be|been|has|have|had|does|did|needs?|requires?|required|expects?|expected|takes?|accepts?|given|missing',
  'option|flag|argument|parameter|setting|value|variable',
].join('|');

/**
 * `--name value`, `-name "value"`, `["--name","value"]` and `--name,value`: no other option, and no prose. After a comma and
 * a blank a sentence goes on, unless name and value are quoted.
 */
const OPTION: Notation = {
  name: new RegExp(
    `(?<![\\w.-])-{1,2}([A-Za-z][\\w.-]{0,63})(?:\\\\{0,3}["']?\\s{1,4}|\\\\{0,3}["']\\s{0,4},\\s{0,4}(?=\\\\{0,3}["'])|,)(?!\\\\{0,3}["']?-|(?:${PROSE})\\b)`,
    'g',
  ),
  value: VALUE,
};
/** Cheaper than looking for a name that could be sensitive. */
export const MAYBE_OPTION: RegExp = /(?<![\w.-])-{1,2}[A-Za-z]/;

/** `{"name":"x","value":"y"}`, as in an archive of HTTP or the environment of a container, also in YAML. */
const ENTRY: Notation = {
  name: /\b(?:name|key)\\{0,3}["']?\s{0,4}[:=]\s{0,4}\\{0,3}["']?([A-Za-z_][\w.-]{0,63})\\{0,3}["']?\s{0,4},?\s{0,16}\\{0,3}["']?value\\{0,3}["']?\s{0,4}[:=]\s{0,4}/gi,
  value: VALUE,
};

/**
 * `<name>value</name>`, with a prefix and attributes too. What follows a word, such as `Promise<Token>`, is a type; where
 * nothing is closed and a sentence goes on, as in `missing <token> in line 3`, it is a placeholder.
 */
const ELEMENT: Notation = {
  name: /(?<!\w)<(?:[\w.-]{1,64}:)?([A-Za-z_][\w.-]{0,63})(?:\s[^<>]{0,256})?>/g,
  value: /(?:<!\[CDATA\[[\s\S]*?(?:\]\]>|$)|[^<]+(?=<\/)|(?![ \t])[^<]+$)(?=<\/|$)/y,
};

/** A field of a form that is sent in parts. */
const PART: Notation = {
  name: /\bform-data;[^\r\n]{0,128}?\bname="?([\w.[\]-]{1,64})/g,
  between: /[^\r\n]{0,256}(?:\r?\n[^\r\n]{1,256}){0,4}\r?\n\r?\n/y,
  value: /[\s\S]+?(?=\r?\n--|$)/y,
};

/** The text without the values of pairs, entries and parts of forms whose names are sensitive. */
export function censorPairs(text: string, keys: KeyRules): string {
  const inKey = text.includes('kty');
  let out = text;
  // Before the pairs, which would take the name for the value of `name`.
  if (out.includes('form-data')) out = censorAfter(PART, out, (name) => keys.isSensitive(name));
  if (out.includes('value')) out = censorAfter(ENTRY, out, (name) => keys.isSensitive(name));
  return censorAfter(PAIR, out, (name, before) => {
    if (inKey && keys.isSensitiveInKey(name)) return true;
    return before === '?' || before === '&' ? keys.isSensitiveInQuery(name) : keys.isSensitive(name);
  });
}

/** The text without the values of options of a command whose names are sensitive. */
export function censorOptions(text: string, keys: KeyRules): string {
  return censorAfter(OPTION, text, (name) => keys.isSensitive(name));
}

/** The text without what stands in elements of XML whose names are sensitive. */
export function censorElements(text: string, keys: KeyRules): string {
  return censorAfter(ELEMENT, text, (name) => keys.isSensitive(name));
}

/**
 * Goes from name to name; only the value of a sensitive one is passed over, since values hold pairs as well.
 *
 * @param isSensitive is told the name and the character before it.
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

/** Where what matches from here on ends, or -1. */
function endOf(sticky: RegExp, text: string, from: number): number {
  sticky.lastIndex = from;
  return sticky.test(text) ? sticky.lastIndex : -1;
}

/** Where the list or the object that begins here ends, at the latest with the text; where it began if there is none. */
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
