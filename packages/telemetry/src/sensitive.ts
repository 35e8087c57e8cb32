import { inspect } from 'node:util';

/** Written in place of credentials. */
export const CENSOR = '[redacted]';

// Registered symbols, so that a logger recognises values wrapped by another copy of this package.
const SECRET: unique symbol = Symbol.for('macadam.secret') as never;
const PII: unique symbol = Symbol.for('macadam.pii') as never;

/** A value that cannot be printed by accident: string conversion, JSON, `console.log` and logs show `[redacted]`. */
export interface Secret<T> {
  /** Returns the value. */
  reveal(): T;
}

/** Personal data that is printed as `[pii]`, except where a logger's `redact.pii` says otherwise. */
export interface Pii<T> {
  /** Returns the value. */
  reveal(): T;
}

class Wrapped<T> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  reveal(): T {
    return this.#value;
  }
}

class SecretValue<T> extends Wrapped<T> implements Secret<T> {
  get [SECRET](): true {
    return true;
  }
  override toString(): string {
    return CENSOR;
  }
  toJSON(): string {
    return CENSOR;
  }
  [inspect.custom](): string {
    return CENSOR;
  }
}

class PiiValue<T> extends Wrapped<T> implements Pii<T> {
  get [PII](): true {
    return true;
  }
  override toString(): string {
    return '[pii]';
  }
  toJSON(): string {
    return '[pii]';
  }
  [inspect.custom](): string {
    return '[pii]';
  }
}

/**
 * Wraps a credential so that nothing prints it: `String(x)`, a template, `JSON.stringify`, `console.log` and logs show
 * `[redacted]`.
 *
 * @example
 * ```ts
 * import { secret } from '@macadam/telemetry';
 *
 * const apiKey = secret('k-123');
 * if (`${apiKey}` !== '[redacted]' || apiKey.reveal() !== 'k-123') throw new Error('unexpected');
 * ```
 */
export function secret<T>(value: T): Secret<T> {
  return new SecretValue(value);
}

/**
 * Marks personal data, such as an e-mail address. A logger masks it, replaces it by a keyed hash (so that lines about
 * the same person can be joined), or writes it, by its option `redact.pii`.
 *
 * @example
 * ```ts
 * import { createLogger, pii } from '@macadam/telemetry';
 *
 * createLogger({ name: 'orders' }).info({ email: pii('ada@example.org') }, 'order placed'); // "email":"[pii]"
 * ```
 */
export function pii<T>(value: T): Pii<T> {
  return new PiiValue(value);
}

/** Whether `value` was made by {@link secret}, in any copy of this package. */
export function isSecret(value: object): value is Secret<unknown> {
  return (value as { [SECRET]?: unknown })[SECRET] === true;
}

/** Whether `value` was made by {@link pii}, in any copy of this package. */
export function isPii(value: object): value is Pii<unknown> {
  return (value as { [PII]?: unknown })[PII] === true;
}
