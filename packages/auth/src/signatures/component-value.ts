import { assertObject, assertOneOf } from '@macadam/core';
import type { Component } from './component.ts';
import { fieldLines, type FieldLines, isResponse, type RequestMessage, type SignableMessage } from './message.ts';
import { type FieldKind, rewrite, rewriteMember } from './structured-fields.ts';
import { assertAbsolute, queryParameter, readTarget, type Target } from './target.ts';

/** Fields that are known to be structured. Those of an application are named by an option. */
const STRUCTURED: Readonly<Record<string, FieldKind>> = {
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

/** A message that was taken apart, once for all components. */
export interface ReadMessage {
  readonly message: SignableMessage;
  readonly fields: FieldLines;
  readonly trailers: FieldLines;
  readonly target: Target | undefined;
  readonly request: ReadMessage | undefined;
  readonly structured: StructuredFields;
}

/** @throws OptionsError for kinds of fields that there are not. */
export function assertStructured(structured: StructuredFields | undefined): void {
  if (structured === undefined) return;
  assertObject('structuredFields', structured);
  for (const [name, kind] of Object.entries(structured)) {
    assertOneOf(`structuredFields.${name}`, kind, ['item', 'list', 'dictionary']);
  }
}

export function readMessage(message: SignableMessage, structured: StructuredFields = {}): ReadMessage {
  const response = isResponse(message);
  if (!response) assertAbsolute(message.url);
  return {
    message,
    fields: fieldLines(message.headers),
    trailers: fieldLines(message.trailers ?? {}),
    target: response ? undefined : readTarget(message.url),
    request: response && message.request !== undefined ? readMessage(message.request, structured) : undefined,
    structured,
  };
}

/** What a component stands for in a message; `undefined` when it cannot be told, without doubt, from the message. */
export function componentValue({ name, parameters }: Component, read: ReadMessage): string | undefined {
  const source = parameters.has('req') ? read.request : read;
  if (source === undefined) return undefined;
  return name.startsWith('@') ? derivedValue(name, parameters, source) : fieldValue(name, parameters, source);
}

function derivedValue(name: string, parameters: Component['parameters'], read: ReadMessage): string | undefined {
  const { message, target } = read;
  if (isResponse(message)) return name === '@status' ? statusText(message.status) : undefined;
  switch (name) {
    case '@method':
      return visible(message.method);
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
      return target && queryParameter(target.query, parameters.get('name') as string);
    default:
      return undefined;
  }
}

function requestTarget(message: RequestMessage, target: Target | undefined): string | undefined {
  if (message.requestTarget !== undefined) return visible(message.requestTarget);
  return target && `${target.path}${target.query === '?' && !message.url.includes('?') ? '' : target.query}`;
}

function statusText(status: number): string | undefined {
  return Number.isInteger(status) && status >= 100 && status <= 999 ? String(status) : undefined;
}

function visible(text: unknown): string | undefined {
  return typeof text === 'string' && /^[!-~]+$/.test(text) ? text : undefined;
}

function fieldValue(name: string, parameters: Component['parameters'], read: ReadMessage): string | undefined {
  const found = (parameters.has('tr') ? read.trailers : read.fields).get(name);
  if (found === undefined) return undefined;
  const lines = found.map(unfold);
  if (parameters.has('bs')) {
    // Characters stand for bytes here, as Node and fetch read them.
    if (lines.some((line) => !/^[\t\x20-\xff]*$/.test(line))) return undefined;
    return lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ');
  }
  const value = lines.join(', ');
  if (!/^[\t -~]*$/.test(value)) return undefined;
  const key = parameters.get('key') as string | undefined;
  if (key !== undefined) return rewriteMember(value, key);
  if (!parameters.has('sf')) return value;
  const kind = [read.structured, STRUCTURED].find((known) => Object.hasOwn(known, name))?.[name];
  return kind && rewrite(value, kind);
}

/** RFC 9421 section 2.1: whitespace around a line goes, and a line that was folded is one line again. */
function unfold(line: string): string {
  if (!line.includes('\n')) return trim(line);
  const parts = line.split(/\r?\n/);
  // Without whitespace after it, a line break is no fold but an injection: it stays, and the value is refused.
  return parts.slice(1).every((part) => /^[ \t]/.test(part)) ? trim(parts.map(trim).join(' ')) : line;
}

/** By index: a pattern that looks for whitespace at the end takes quadratic time. */
function trim(line: string): string {
  let start = 0;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start++;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
