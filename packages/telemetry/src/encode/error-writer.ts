import type { ValueWriter } from './value-writer.ts';

/** Limits of an error's own fields, beyond type, message, stack and causes: errors of HTTP clients carry whole requests. */
const OWN_FIELDS_BYTES = 3_072;
const OWN_FIELDS_DEPTH = 3;
const OWN_STRING_BYTES = 1_024;
const MAX_TYPE_LENGTH = 256;
/** The depth up to which causes and aggregated errors are written. */
const MAX_CAUSE_DEPTH = 5;

/** Names that are written separately, or would collide with those that are. */
const STANDARD_FIELDS: ReadonlySet<string> = new Set([
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

/** The names of the parts of an error in a line format. */
export interface ErrorNames {
  readonly message: string;
  readonly stack: string;
}

/**
 * Writes `{ type, message, stack, …own fields, cause, aggregateErrors }`. These are the names of pino, so that its tools
 * can read them, but a cause is an object here, which keeps its `code` and other fields. `toJSON` of the error is not
 * called, since its result has no stack.
 */
export function writeError(error: Error, writer: ValueWriter, depth: number): void {
  const names = writer.errorNames;
  const message = read(error, 'message');
  // Becomes the message of the line if the caller gave none. Stored here, so that a getter runs only once.
  if (depth === 1 && typeof message === 'string') writer.errorMessage ??= message;
  writer.out += '{"type":';
  writeType(writer, typeOf(error));
  writeText(writer, names.message, message);
  writeText(writer, names.stack, read(error, 'stack'));
  writeOwnFields(error, writer, depth);
  const cause = read(error, 'cause');
  if (cause !== undefined) writeNested(writer, 'cause', cause, depth);
  const errors = read(error, 'errors');
  if (Array.isArray(errors)) writeNested(writer, 'aggregateErrors', errors, depth);
  writer.out += '}';
}

function writeType(writer: ValueWriter, type: string): void {
  const { limit } = writer.text;
  writer.text.limit = Math.min(limit, MAX_TYPE_LENGTH);
  writer.out += writer.text.quote(type);
  writer.text.limit = limit;
}

function typeOf(error: Error): string {
  const name = read(error, 'name');
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
  const constructor = read(error, 'constructor');
  const className = typeof constructor === 'function' ? constructor.name : name;
  return typeof className === 'string' && className !== '' ? className : 'Error';
}

/** Reads one field, so that a getter that throws does not prevent the others from being written. */
function read(error: Error, name: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[name];
  } catch {
    return '[threw]';
  }
}

function writeText(writer: ValueWriter, name: string, value: unknown): void {
  if (typeof value === 'string') writer.out += `,"${name}":${writer.text.quote(value)}`;
}

function writeNested(writer: ValueWriter, name: string, value: unknown, depth: number): void {
  if (!writer.reserveValue() || depth >= MAX_CAUSE_DEPTH) {
    writer.out += `,"${name}":`;
    writer.writeCut('deeper');
    return;
  }
  writer.out += `,"${name}":`;
  writer.writeValue(value, depth + 1);
}

/** Writes primitive values first: a large request object must not use up the room of `code` and `status`. */
function writeOwnFields(error: Error, writer: ValueWriter, depth: number): void {
  const { maxBytes, maxDepth } = writer;
  const { limit } = writer.text;
  writer.maxBytes = Math.min(maxBytes, writer.out.length + writer.text.extraBytes + OWN_FIELDS_BYTES);
  writer.maxDepth = Math.min(maxDepth, depth + 1 + OWN_FIELDS_DEPTH);
  writer.text.limit = Math.min(limit, OWN_STRING_BYTES);
  const objects: [string, object][] = [];
  try {
    let count = 0;
    let isCut = false;
    for (const name of Object.keys(error)) {
      if (STANDARD_FIELDS.has(name)) continue;
      isCut = ++count > writer.limits.items || !writer.reserveValue();
      if (isCut) break;
      const value = read(error, name);
      if (typeof value === 'object' && value !== null) objects.push([name, value]);
      else writer.writeProperty({ [name]: value }, name, false, depth + 1, error);
    }
    for (const [name, value] of objects) {
      isCut ||= !writer.reserveValue();
      if (isCut) break;
      writer.writeProperty({ [name]: value }, name, false, depth + 1, error);
    }
    if (isCut) writer.writeMark(false, 'more');
  } finally {
    writer.maxBytes = maxBytes;
    writer.maxDepth = maxDepth;
    writer.text.limit = limit;
  }
}
