import { OptionsError, withheld } from '@macadam/core';
import { printableUrl } from './base-url.ts';
import { assertNamedValues } from './named-values.ts';
import { encodeValue, redactQuery } from './query.ts';
import type { RequestAttributes } from './request-attributes.ts';

/** The names of the parameters of a path: `'id' | 'line'` for `/invoices/{id}/lines/{line}`. */
export type PathParamName<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParamName<Rest>
  : never;

/** The value of a path parameter. It is percent-encoded, so it cannot leave its path segment. */
export type PathParamValue = string | number | bigint;

/** A path that was parsed once and serves every call to it. */
export interface PathTemplate {
  /** The text of the template with redacted query values: safe to print, and of low cardinality. */
  readonly printable: string;
  /** The complete path, if the template has no parameters. */
  readonly fixed: string | undefined;
  /** The template without its query: the key of policies per route. */
  readonly route: string;
  readonly hasQuery: boolean;
  build(params: Readonly<Record<string, PathParamValue>> | undefined): string;
  /** The telemetry attributes of the latest request for it, cached. */
  requestAttributes: RequestAttributes | undefined;
}

/** Dot segments, plain or encoded. Servers resolve them, so the request would reach another resource than the caller meant. */
const DOT_SEGMENT = /(?:^|\/)(?:\.|%2e){1,2}(?=\/|$)/i;
const PARAM = /\{([^{}]*)\}/g;

/**
 * Parses a path such as `/invoices/{id}`.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) when it does not begin with a slash, holds a dot segment, a fragment, a
 * character that must be encoded, or braces that do not match.
 */
export function parsePathTemplate(text: string, prefix = ''): PathTemplate {
  if (typeof text !== 'string' || !text.startsWith('/')) {
    const shown = typeof text === 'string' ? printableUrl(text) : text;
    throw new OptionsError('request.path', shown, 'a path that begins with "/"; the origin comes from baseUrl');
  }
  const literals: string[] = [];
  const names: string[] = [];
  let end = 0;
  for (const match of text.matchAll(PARAM)) {
    const name = match[1] as string;
    if (name === '') throw new OptionsError('request.path', printable(text), 'a path whose parameters have names');
    literals.push(text.slice(end, match.index));
    names.push(name);
    end = match.index + match[0].length;
  }
  literals.push(text.slice(end));
  assertLiterals(text, literals);
  literals[0] = prefix + (literals[0] as string);
  const printableText = prefix + printable(text);
  return {
    printable: printableText,
    fixed: names.length === 0 ? literals[0] : undefined,
    route: printableText.split('?', 1)[0] as string,
    hasQuery: text.includes('?'),
    build: (params) => fill(literals, names, params),
    requestAttributes: undefined,
  };
}

function assertLiterals(text: string, literals: readonly string[]): void {
  const rest = literals.join('x');
  if (/[^\u0021-\u007e]|[{}#\\]/.test(rest)) {
    throw new OptionsError('request.path', printable(text), 'a percent-encoded path without fragment and stray braces');
  }
  if (DOT_SEGMENT.test(rest.split('?', 1)[0] as string)) {
    throw new OptionsError('request.path', printable(text), 'a path without "." and ".." segments');
  }
}

function fill(
  literals: readonly string[],
  names: readonly string[],
  params: Readonly<Record<string, PathParamValue>> | undefined,
): string {
  if (params !== undefined) assertNoUnknownParams(names, params);
  let path = literals[0] as string;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const value = params !== undefined && Object.hasOwn(params, name) ? params[name] : undefined;
    path += encodeParam(name, value) + (literals[i + 1] as string);
  }
  return path;
}

function assertNoUnknownParams(names: readonly string[], params: Readonly<Record<string, PathParamValue>>): void {
  assertNamedValues('request.params', params);
  for (const name of Object.keys(params)) {
    if (names.includes(name)) continue;
    const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
    throw new OptionsError(`request.params.${name}`, withheld(params[name]), `named in the path (${known})`);
  }
}

function encodeParam(name: string, value: unknown): string {
  // Most parameters are numeric ids, which need no encoding.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  const encoded =
    typeof value === 'boolean' ? '' : value === undefined ? '' : encodeValue(`request.params.${name}`, value);
  // An empty value turns /invoices/{id} into the whole collection, and a dot segment into its parent.
  if (encoded === '' || encoded === '.' || encoded === '..') {
    throw new OptionsError(`request.params.${name}`, value, 'a number or a string that is not empty, "." or ".."');
  }
  return encoded;
}

function printable(text: string): string {
  const at = text.indexOf('?');
  const path = (at < 0 ? text : text.slice(0, at)).replace(/\/\/[^/]*@/, '//');
  return at < 0 ? path : path + redactQuery(text.slice(at));
}

/** A cache of parsed paths. Bounded, because a caller may paste ids into paths, which makes each a new one. */
export class PathTemplates {
  readonly #prefix: string;
  readonly #templates = new Map<string, PathTemplate>();
  readonly #max: number;

  constructor(prefix: string, max = 1_000) {
    this.#prefix = prefix;
    this.#max = max;
  }

  get(text: string): PathTemplate {
    let template = this.#templates.get(text);
    if (template === undefined) {
      template = parsePathTemplate(text, this.#prefix);
      if (this.#templates.size >= this.#max) this.#templates.clear();
      this.#templates.set(text, template);
    }
    return template;
  }
}
