import { hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assertKnownOptions, assertObject, OptionsError } from '@macadam/core';

/** Options of {@link createApiKey}. */
export interface ApiKeyOptions {
  /** Names your product, so that a leaked key tells scanners whose it is: a letter, then up to 15 letters or digits. */
  prefix?: string;
  /** Such as `live` or `test`: up to 16 lower-case letters or digits. */
  environment: string;
}

/** A new key. */
export interface ApiKey {
  /** The key itself: give it to its owner, once, and keep it nowhere. */
  readonly key: string;
  /** Names the key: what to store the record under. Not secret. */
  readonly id: string;
  /** What to store. With 256 random bits behind it nothing slower than SHA-256 is needed. */
  readonly hash: string;
}

/** What a key says about itself. Its secret is not checked. */
export interface ParsedApiKey {
  readonly prefix: string;
  readonly environment: string;
  readonly id: string;
  /** What {@link createApiKey} gave to be stored, if this is the key that it made. */
  readonly hash: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** 96 bits: no two ids are ever the same. */
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
 * Makes an API key: `mcd_live_<id>_<secret><checksum>`. It has only letters, digits and `_`, so a double click selects
 * all of it; the checksum lets {@link parseApiKey} and secret scanners tell a key from text that looks like one.
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
  assertObject('options', options);
  assertKnownOptions('', options, ['prefix', 'environment']);
  const { prefix = DEFAULT_PREFIX, environment } = options;
  assertName('prefix', prefix, PREFIX);
  assertName('environment', environment, ENVIRONMENT);
  const id = base62(randomBytes(ID_BYTES), ID_LENGTH);
  const body = `${prefix}_${environment}_${id}_${base62(randomBytes(SECRET_BYTES), SECRET_LENGTH)}`;
  const key = body + checksumOf(body);
  return { key, id, hash: digestOf(key) };
}

/** Reads a key; `undefined` for anything that {@link createApiKey} did not make, without asking anybody. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const match = typeof text === 'string' ? KEY.exec(text) : null;
  if (match === null) return undefined;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  if (checksumOf(body) !== text.slice(-CHECKSUM_LENGTH)) return undefined;
  // A part of a text keeps the whole of it in memory (V8): who keeps an id would keep a secret.
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
  let rest = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (let at = 0; at < length; at++, rest /= 62n) text = DIGITS[Number(rest % 62n)]! + text;
  return text;
}
