import { OptionsError, withheld } from '@macadam/core';
import { assertNamedValues } from './named-values.ts';
import { encodeValue, redactQuery } from './query.ts';
import type { RequestAttributes } from './request-attributes.ts';

/** The names of the parameters of a path: `'id' | 'line'` for `/invoices/{id}/lines/{line}`. */
export type PathParamName<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParamName<Rest>
  : never;

/** The value of a path parameter. It is percent-encoded, so it cannot leave its path segment. */
export type PathParamValue = string | number | bigint;

/** A path, parsed once and used for every call to it. */
export interface PathTemplate {
  /** As it was written, without the values of its query: safe to print, and of few kinds. */
  readonly printable: string;
  /** The path of a template without parameters. */
  readonly fixed: string | undefined;
  /** Stands for it where it is one of many of a kind: the same without its query. */
  readonly route: string;
  readonly hasQuery: boolean;
  build(params: Readonly<Record<string, PathParamValue>> | undefined): string;
  /** What OpenTelemetry was last told of requests for it, to be told again. */
  told: RequestAttributes | undefined;
}

/** Dot segments, plain or encoded: servers resolve them, and so would reach another resource than was meant. */
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
    throw new OptionsError(
      'request.path',
      printable(text),
      'a path that begins with "/"; the origin comes from baseUrl',
    );
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
  const shown = prefix + (printable(text) as string);
  return {
    printable: shown,
    fixed: names.length === 0 ? literals[0] : undefined,
    route: shown.split('?', 1)[0] as string,
    hasQuery: text.includes('?'),
    build: (params) => fill(literals, names, params),
    told: undefined,
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
  if (params !== undefined) assertNoOthers(names, params);
  let path = literals[0] as string;
  for (let i = 0; i < names.length; i++) {
    const name = names[i] as string;
    const value = params !== undefined && Object.hasOwn(params, name) ? params[name] : undefined;
    path += encodeParam(name, value) + (literals[i + 1] as string);
  }
  return path;
}

function assertNoOthers(names: readonly string[], params: Readonly<Record<string, PathParamValue>>): void {
  assertNamedValues('request.params', params);
  for (const name of Object.keys(params)) {
    if (names.includes(name)) continue;
    const known = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`;
    throw new OptionsError(`request.params.${name}`, withheld(params[name]), `named in the path (${known})`);
  }
}

function encodeParam(name: string, value: unknown): string {
  // Most are numbers of records, which need no encoding.
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  const encoded =
    typeof value === 'boolean' ? '' : value === undefined ? '' : encodeValue(`request.params.${name}`, value);
  // An empty value turns /invoices/{id} into the whole collection, and a dot segment into its parent.
  if (encoded === '' || encoded === '.' || encoded === '..') {
    throw new OptionsError(`request.params.${name}`, value, 'a number or a string that is not empty, "." or ".."');
  }
  return encoded;
}

function printable(text: unknown): unknown {
  if (typeof text !== 'string') return text;
  const at = text.indexOf('?');
  const path = (at < 0 ? text : text.slice(0, at)).replace(/\/\/[^/]*@/, '//');
  return at < 0 ? path : path + redactQuery(text.slice(at));
}

/** Parsed paths by their text. Bounded: a path with ids pasted into it is a new text each time. */
export class PathTemplates {
  readonly #prefix: string;
  readonly #known = new Map<string, PathTemplate>();
  readonly #max: number;

  constructor(prefix: string, max = 1_000) {
    this.#prefix = prefix;
    this.#max = max;
  }

  get(text: string): PathTemplate {
    let template = this.#known.get(text);
    if (template === undefined) {
      template = parsePathTemplate(text, this.#prefix);
      if (this.#known.size >= this.#max) this.#known.clear();
      this.#known.set(text, template);
    }
    return template;
  }
}
