import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assertKnownOptions, assertObject, OptionsError, underPath } from '@macadam/core';

/** Options of {@link createApiKey}. */
export interface ApiKeyOptions {
  /**
   * Identifies your product, so that scanners know whose leaked key it is: a letter, then up to 15 letters or digits.
   * Default: `mcd`.
   */
  prefix?: string;
  /** Such as `live` or `test`: up to 16 lower case letters or digits. */
  environment: string;
}

/** A new API key. */
export interface ApiKey {
  /** The key itself. Show it to its owner once, and do not store it. */
  readonly key: string;
  /** The id of the key, under which to store its record. Not secret. */
  readonly id: string;
  /** The hash to store. SHA-256 is enough for 256 random bits. */
  readonly hash: string;
}

/** The parts of a key. Its secret is not verified. */
export interface ParsedApiKey {
  /** The prefix of the product. */
  readonly prefix: string;
  /** The environment, such as `live`. */
  readonly environment: string;
  /** The id of the key. */
  readonly id: string;
  /** The hash of the key, to compare with the stored one in constant time; {@link verifyApiKey} does that. */
  readonly hash: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 96 random bits: collisions are practically impossible. */
const ID_BYTES = 12;
const ID_LENGTH = 17;
/** 256 bits. */
const SECRET_BYTES = 32;
const SECRET_LENGTH = 43;
/** 32 bits. */
const CHECKSUM_LENGTH = 6;

export const DEFAULT_PREFIX = 'mcd';
const PREFIX = /^[a-z][a-z0-9]{0,15}$/;
const ENVIRONMENT = /^[a-z0-9]{1,16}$/;
const KEY = new RegExp(
  `^([a-z][a-z0-9]{0,15})_([a-z0-9]{1,16})_([0-9A-Za-z]{${ID_LENGTH}})_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`,
);

/**
 * Creates an API key: `mcd_live_<id>_<secret><checksum>`. It consists of letters, digits and `_`, so a double click
 * selects all of it. By the checksum, {@link parseApiKey} and secret scanners tell a key from a text that looks like
 * one.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { createApiKey } from '@macadam/auth';
 *
 * const { key, id, hash } = createApiKey({ prefix: 'acme', environment: 'live' });
 * ```
 */
export function createApiKey(options: ApiKeyOptions): ApiKey {
  assertObject('createApiKey', options);
  return underPath('createApiKey', () => makeApiKey(options));
}

function makeApiKey(options: ApiKeyOptions): ApiKey {
  assertKnownOptions('', options, ['prefix', 'environment']);
  const { prefix = DEFAULT_PREFIX, environment } = options;
  assertName('prefix', prefix, PREFIX);
  assertName('environment', environment, ENVIRONMENT);
  const id = base62(randomBytes(ID_BYTES), ID_LENGTH);
  const body = `${prefix}_${environment}_${id}_${base62(randomBytes(SECRET_BYTES), SECRET_LENGTH)}`;
  const key = body + checksumOf(body);
  return { key, id, hash: digestOf(key) };
}

/**
 * Parses a key, without a lookup; `undefined` for anything that {@link createApiKey} did not create. The secret is not
 * verified.
 *
 * @example
 * ```ts
 * import { createApiKey, parseApiKey } from '@macadam/auth';
 *
 * const { key, id } = createApiKey({ environment: 'live' });
 * if (parseApiKey(key)?.id !== id) throw new Error('the id stands in the key');
 * ```
 */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const match = typeof text === 'string' ? KEY.exec(text) : null;
  if (match === null) return undefined;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  if (checksumOf(body) !== text.slice(-CHECKSUM_LENGTH)) return undefined;
  // Copied, since in V8 a substring keeps the whole string in memory: whoever stores the id would keep the secret.
  const id = Buffer.from(match[3]!).toString();
  return { prefix: match[1]!, environment: match[2]!, id, hash: digestOf(text) };
}

export function assertName(path: string, value: unknown, pattern: RegExp = ENVIRONMENT): void {
  if (typeof value === 'string' && pattern.test(value)) return;
  throw new OptionsError(path, value, 'up to 16 lower-case letters or digits (a prefix begins with a letter)');
}

function checksumOf(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return base62(bytes, CHECKSUM_LENGTH);
}

function digestOf(key: string): string {
  return hash('sha256', key, 'base64url');
}

function base62(bytes: Uint8Array, length: number): string {
  let remainder = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (let at = 0; at < length; at++, remainder /= 62n) text = DIGITS[Number(remainder % 62n)]! + text;
  return text;
}
