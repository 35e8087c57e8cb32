// The value of a covered component in a message (RFC 9421 section 2): of a derived component or a field.
import { assertObject, assertOneOf } from '@macadam/core';
import type { Component } from './component.ts';
import { fieldLines, type FieldLines, isResponse, type RequestMessage, type SignableMessage } from './message.ts';
import { type FieldKind, memberSerializer, type MemberSerializer, reserialize } from './structured-fields.ts';
import { assertAbsoluteUrl, queryParameter, parseTarget, type Target } from './target.ts';

/** Registered structured fields, for `;sf`. Fields of the application are added by the option `structuredFields`. */
const KNOWN_STRUCTURED_FIELDS: Readonly<Record<string, FieldKind>> = {
  'accept-signature': 'dictionary',
  'cache-status': 'list',
  'cdn-cache-control': 'dictionary',
  'client-cert': 'item',
  'client-cert-chain': 'list',
  'content-digest': 'dictionary',
  priority: 'dictionary',
  'proxy-status': 'list',
  ratelimit: 'list',
  'ratelimit-policy': 'list',
  'repr-digest': 'dictionary',
  signature: 'dictionary',
  'signature-input': 'dictionary',
  'want-content-digest': 'dictionary',
  'want-repr-digest': 'dictionary',
};

/** How structured fields of the application are written, by name, for components with `;sf`. */
export type StructuredFields = Readonly<Record<string, FieldKind>>;

/** A message parsed once for all components. */
export interface ParsedMessage {
  readonly message: SignableMessage;
  readonly fields: FieldLines;
  readonly trailers: FieldLines;
  readonly target: Target | undefined;
  readonly request: ParsedMessage | undefined;
  readonly structured: StructuredFields;
}

/** @throws OptionsError for an unknown type of structured field */
export function assertStructuredFields(structured: StructuredFields | undefined): void {
  if (structured === undefined) return;
  assertObject('structuredFields', structured);
  for (const [name, kind] of Object.entries(structured)) {
    assertOneOf(`structuredFields.${name}`, kind, ['item', 'list', 'dictionary']);
  }
}

export function parseMessage(message: SignableMessage, structured: StructuredFields = {}): ParsedMessage {
  const response = isResponse(message);
  if (!response) assertAbsoluteUrl(message.url);
  return {
    message,
    fields: fieldLines(message.headers),
    trailers: fieldLines(message.trailers ?? {}),
    target: response ? undefined : parseTarget(message.url),
    request: response && message.request !== undefined ? parseMessage(message.request, structured) : undefined,
    structured,
  };
}

/** The value of a component; `undefined` when the message does not have it, or it is ambiguous. */
export function componentValue({ name, parameters }: Component, parsed: ParsedMessage): string | undefined {
  const source = parameters.has('req') ? parsed.request : parsed;
  if (source === undefined) return undefined;
  return name.startsWith('@') ? derivedValue(name, parameters, source) : fieldValue(name, parameters, source);
}

function derivedValue(name: string, parameters: Component['parameters'], parsed: ParsedMessage): string | undefined {
  const { message, target } = parsed;
  if (isResponse(message)) return name === '@status' ? statusText(message.status) : undefined;
  switch (name) {
    case '@method':
      return visibleAscii(message.method);
    case '@target-uri':
      return target?.uri;
    case '@authority':
      return target?.authority;
    case '@scheme':
      return target?.scheme;
    case '@request-target':
      return requestTarget(message, target);
    case '@path':
      return target?.path;
    case '@query':
      return target?.query;
    case '@query-param':
      return target && queryParameter(target, parameters.get('name') as string);
    default:
      return undefined;
  }
}

function requestTarget(message: RequestMessage, target: Target | undefined): string | undefined {
  if (message.requestTarget !== undefined) return visibleAscii(message.requestTarget);
  return target?.pathAndQuery;
}

function statusText(status: number): string | undefined {
  return Number.isInteger(status) && status >= 100 && status <= 999 ? String(status) : undefined;
}

function visibleAscii(text: unknown): string | undefined {
  return typeof text === 'string' && /^[!-~]+$/.test(text) ? text : undefined;
}

function fieldValue(name: string, parameters: Component['parameters'], parsed: ParsedMessage): string | undefined {
  const lines = (parameters.has('tr') ? parsed.trailers : parsed.fields).get(name);
  if (lines === undefined) return undefined;
  if (parameters.has('bs')) return bytesOfLines(lines.map(unfold));
  const key = parameters.get('key') as string | undefined;
  if (key !== undefined) return serializedMember(lines, key);
  if (!parameters.has('sf')) return combined(lines);
  const kind = [parsed.structured, KNOWN_STRUCTURED_FIELDS].find((known) => Object.hasOwn(known, name))?.[name];
  return kind && canonicalValue(lines, kind);
}

function bytesOfLines(lines: readonly string[]): string | undefined {
  // Node and fetch decode header fields as latin1: each character is one byte.
  if (lines.some((line) => !/^[\t\x20-\xff]*$/.test(line))) return undefined;
  return lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ');
}

/** All lines of a field as one value; `undefined` unless it is in ASCII. */
function combined(lines: readonly string[]): string | undefined {
  const value = lines.map(unfold).join(', ');
  return /^[\t -~]*$/.test(value) ? value : undefined;
}

/** Parsed fields, by their lines (of one message): its signatures can name a long field in hundreds of components. */
const parsedDictionaries = new WeakMap<readonly string[], MemberSerializer>();
const canonicalValues = new WeakMap<readonly string[], { readonly value: string | undefined }>();

function serializedMember(lines: readonly string[], key: string): string | undefined {
  const serialize = parsedDictionaries.get(lines) ?? memberSerializer(combined(lines) ?? '');
  parsedDictionaries.set(lines, serialize);
  return serialize(key);
}

function canonicalValue(lines: readonly string[], kind: FieldKind): string | undefined {
  const known = canonicalValues.get(lines);
  if (known !== undefined) return known.value;
  const text = combined(lines);
  const value = text === undefined ? undefined : reserialize(text, kind);
  canonicalValues.set(lines, { value });
  return value;
}

/** RFC 9421 section 2.1: removes whitespace around a line, and replaces obsolete line folding by a space. */
function unfold(line: string): string {
  if (!line.includes('\n')) return trim(line);
  const parts = line.split(/\r?\n/);
  // A line break without whitespace after it is an injection, not folding: it is kept, and the value is rejected for it.
  return parts.slice(1).every((part) => /^[ \t]/.test(part)) ? trim(parts.map(trim).join(' ')) : line;
}

/** By index, since a regular expression for trailing whitespace takes quadratic time. */
function trim(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isWhitespace(line.charCodeAt(start))) start++;
  while (end > start && isWhitespace(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
