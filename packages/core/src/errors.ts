import { isMacadamError, registerBrand } from './brand.ts';

/** Options of the constructor of {@link MacadamError}. */
export interface MacadamErrorOptions {
  /** The stable code of the error, which begins with `MAC_` and an area. Required. */
  code: string;
  /** Whether the same call may succeed when repeated. Default: false. */
  retryable?: boolean;
  /**
   * The HTTP status for the caller who was refused, 400 to 599, where the error is a refusal: a rule worked as it is meant to, and
   * nothing failed. Default: none, the error is a failure.
   */
  refusalStatus?: number | undefined;
  /** What caused the error. Default: none. */
  cause?: unknown;
  /** Whether to capture a stack trace; without one the error is several times cheaper. Default: true. */
  stack?: boolean;
}

/**
 * The base class of all errors of Macadam. Match on `code` with `isMacadamError()`; messages may change. The fields of subclasses are
 * plain properties, so that they are printed and serialized, and never contain credentials. All codes: docs/errors.md.
 */
export class MacadamError extends Error {
  /** The stable code of the error, such as `MAC_CIRCUIT_OPEN`. */
  readonly code: string;
  /** Whether the same call may succeed when repeated. */
  readonly retryable: boolean;
  /**
   * The HTTP status for the caller who was refused, such as 401. Present only where the error is a refusal: a rule worked as it is
   * meant to, and nothing failed. Logs and spans distinguish refusals from failures by it.
   */
  declare readonly refusalStatus?: number;

  constructor(message: string, options: MacadamErrorOptions) {
    const depth = Error.stackTraceLimit;
    if (options.stack === false) Error.stackTraceLimit = 0;
    super(message);
    if (options.stack === false) Error.stackTraceLimit = depth;
    // Not enumerable, like the `cause` of built-in errors: `util.inspect` prints an enumerable one twice.
    if (options.cause !== undefined) {
      Object.defineProperty(this, 'cause', { value: options.cause, writable: true, configurable: true });
    }
    this.code = options.code;
    this.retryable = options.retryable ?? false;
    if (options.refusalStatus !== undefined) this.refusalStatus = options.refusalStatus;
  }

  /** Returns name, code, message, fields and cause for a log line; without the stack trace. */
  toJSON(): Record<string, unknown> {
    return toJsonValue(this, MAX_DEPTH) as Record<string, unknown>;
  }
}
MacadamError.prototype.name = 'MacadamError';
registerBrand(MacadamError.prototype);

/** How deep `toJSON` goes. Errors contain errors (causes, attempts), possibly in circles. */
const MAX_DEPTH = 5;

/**
 * Converts a value for `JSON.stringify`, which would write an error as `{}`: an error becomes its name, message and fields. A bigint, for
 * which it throws, becomes text.
 */
function toJsonValue(value: unknown, depth: number): unknown {
  if (typeof value === 'bigint') return describeValue(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth === 0) return describeValue(value);
  if (Array.isArray(value)) return value.map((item) => toJsonValue(item, depth - 1));
  if (!(value instanceof Error)) return value instanceof Date ? value : fieldsToJson(value, depth);
  const { name, message, cause } = value;
  const { code } = value as NodeJS.ErrnoException;
  const fields = isMacadamError(value) ? fieldsToJson(value, depth) : code === undefined ? {} : { code };
  return { name, message, ...fields, ...(cause === undefined ? {} : { cause: thrownToJson(cause, depth) }) };
}

/** The fields of an error or of a record in one, such as an {@link AttemptRecord}, whose `error` was thrown by the caller's code. */
function fieldsToJson(value: object, depth: number): Record<string, unknown> {
  const convert = ([name, field]: [string, unknown]): [string, unknown] => {
    return [name, name === 'error' && field !== undefined ? thrownToJson(field, depth) : toJsonValue(field, depth - 1)];
  };
  return Object.fromEntries(Object.entries(value).map(convert));
}

/** What was thrown can be anything, and may contain credentials: unless it is an error, only a string is shown. Never throws. */
function thrownToJson(thrown: unknown, depth: number): unknown {
  try {
    if (thrown instanceof Error) return toJsonValue(thrown, depth - 1);
    return typeof thrown === 'string' ? thrown : describeValue(thrown);
  } catch {
    return 'a value that cannot be read';
  }
}

/**
 * A wrong option or argument, or options that contradict each other. Code `MAC_INVALID_OPTIONS`, not retryable. Options of a factory are
 * checked when it is called.
 */
export class OptionsError extends MacadamError {
  /** The function that was called and the path of the option, such as `createHttpClient.retry.maxAttempts`. */
  readonly path: string;
  /** The value received, in words. Values that may be secrets are described by their type only. */
  readonly received: string;
  /** The values allowed, in words. */
  readonly allowed: string;

  constructor(path: string, value: unknown, allowed: string) {
    const received = describeValue(value);
    super(`Option ${path} is ${received}; it must be ${allowed}.`, { code: 'MAC_INVALID_OPTIONS' });
    this.path = path;
    this.received = received;
    this.allowed = allowed;
  }
}
OptionsError.prototype.name = 'OptionsError';

class Withheld {
  readonly words: string;

  constructor(words: string) {
    this.words = words;
  }
}

/**
 * Wraps a value that may be a secret, for the constructor of {@link OptionsError}, which then describes it by its type and never shows
 * it.
 */
export function withheld(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Withheld(`${value.byteLength} bytes`);
  if (typeof value !== 'string') return value;
  return new Withheld(value === '' ? 'an empty text' : 'a text that is not shown');
}

/**
 * Runs `check` and prefixes the path of an {@link OptionsError} it throws with `path`. For a function whose options contain the
 * options of another: `retry` inside `createHttpClient` fails as `createHttpClient.retry.maxAttempts`.
 */
export function underPath<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    // Not `instanceof`: the code that checks may have another copy of this package.
    if (!isMacadamError(error, 'MAC_INVALID_OPTIONS')) throw error;
    const { path: inner, received, allowed } = error as unknown as OptionsError;
    throw new OptionsError(`${path}.${inner}`, new Withheld(received), allowed);
  }
}

/** What one attempt of a call did, and when. */
export interface AttemptRecord {
  /** The number of the attempt, from 1. */
  readonly attempt: number;
  /** When the attempt began, in milliseconds after the start of the call. */
  readonly startedAtMs: number;
  /** How long the attempt took, in milliseconds. */
  readonly durationMs: number;
  /** The wait before the attempt, in milliseconds. */
  readonly waitedMs: number;
  /** The error it failed with; undefined if its result was rejected by `retryIf`. */
  readonly error: unknown;
}

/** A time limit that was exceeded. Code `MAC_TIMEOUT`, retryable. */
export class TimeoutError extends MacadamError {
  /** The limit that was exceeded, in milliseconds. */
  readonly timeoutMs: number;
  /** The attempts that had failed before; absent if there were none. */
  declare readonly attempts?: readonly AttemptRecord[];

  constructor(message: string, timeoutMs: number) {
    super(message, { code: 'MAC_TIMEOUT', retryable: true });
    this.timeoutMs = timeoutMs;
  }
}
TimeoutError.prototype.name = 'TimeoutError';

/** Describes a value in a few words. Strings are cut, and objects are named by type, since they may contain credentials. */
function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
    case 'bigint':
      return `${value}n`;
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'object':
      if (value === null) return 'null';
      if (value instanceof Withheld) return value.words;
      if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`;
      return value instanceof Date ? 'a Date' : 'an object';
    default:
      return String(value);
  }
}
