import { types } from 'node:util';
import type { ValueWriter } from './value-writer.ts';

/** What an error may add beyond type, message, stack and causes: errors of HTTP clients carry whole requests. */
const OWN_FIELDS_BYTES = 3_072;
const OWN_FIELDS_DEPTH = 3;
const OWN_STRING_BYTES = 1_024;
/** Longest chain of causes. */
const CAUSES = 5;

const STANDARD: ReadonlySet<string> = new Set([
  'type',
  'stacktrace',
  'stack_trace',
  'name',
  'message',
  'stack',
  'cause',
  'errors',
  'aggregateErrors',
]);

/** How a line format calls the parts of an error. */
export interface ErrorNames {
  readonly message: string;
  readonly stack: string;
}

/** Whether a value is an Error, of this realm or another. */
export function isError(value: object): value is Error {
  return value instanceof Error || types.isNativeError(value);
}

/**
 * `{ type, message, stack, …own fields, cause, aggregateErrors }`: the names of pino, so that its tools know them, but
 * with causes as objects, which keeps their `code` and their fields. `toJSON` is not asked: it would lose the stack.
 */
export function writeError(error: Error, writer: ValueWriter, depth: number): void {
  const names = writer.errorNames;
  const message = read(error, 'message');
  // The message of the line, when the caller gave none; the getter must not run again for it.
  if (depth === 1 && typeof message === 'string') writer.errorMessage ??= message;
  writer.out += `{"type":${writer.text.quote(typeOf(error))}`;
  text(writer, names.message, message);
  text(writer, names.stack, read(error, 'stack'));
  ownFields(error, writer, depth);
  const cause = read(error, 'cause');
  if (cause !== undefined) nested(writer, 'cause', cause, depth);
  const errors = read(error, 'errors');
  if (Array.isArray(errors)) nested(writer, 'aggregateErrors', errors, depth);
  writer.out += '}';
}

function typeOf(error: Error): string {
  const name = read(error, 'name');
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
  const made = read(error, 'constructor');
  const className = typeof made === 'function' ? made.name : name;
  return typeof className === 'string' && className !== '' ? className : 'Error';
}

/** Each field is read on its own, so that one that throws does not take the others with it. */
function read(error: Error, name: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[name];
  } catch {
    return '[threw]';
  }
}

function text(writer: ValueWriter, name: string, value: unknown): void {
  if (typeof value === 'string') writer.out += `,"${name}":${writer.text.quote(value)}`;
}

function nested(writer: ValueWriter, name: string, value: unknown, depth: number): void {
  if (!writer.hasRoom() || depth >= CAUSES) {
    writer.out += `,"${name}":`;
    writer.cut('deeper');
    return;
  }
  writer.out += `,"${name}":`;
  writer.value(value, depth + 1);
}

/** Plain values first: `code` and `status` must not be crowded out by a request object. */
function ownFields(error: Error, writer: ValueWriter, depth: number): void {
  const { maxBytes, maxDepth } = writer;
  const { limit } = writer.text;
  writer.maxBytes = Math.min(maxBytes, writer.out.length + writer.text.extraBytes + OWN_FIELDS_BYTES);
  writer.maxDepth = Math.min(maxDepth, depth + 1 + OWN_FIELDS_DEPTH);
  writer.text.limit = Math.min(limit, OWN_STRING_BYTES);
  const objects: [string, object][] = [];
  try {
    let count = 0;
    for (const name of Object.keys(error)) {
      if (STANDARD.has(name)) continue;
      if (++count > writer.limits.items || !writer.hasRoom()) break;
      const value = read(error, name);
      if (typeof value === 'object' && value !== null) objects.push([name, value]);
      else writer.property({ [name]: value }, name, false, depth + 1, error);
    }
    for (const [name, value] of objects) {
      if (!writer.hasRoom()) break;
      writer.property({ [name]: value }, name, false, depth + 1, error);
    }
  } finally {
    writer.maxBytes = maxBytes;
    writer.maxDepth = maxDepth;
    writer.text.limit = limit;
  }
}
