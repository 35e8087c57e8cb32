import { timingSafeEqual } from 'node:crypto';
import { assertClock, assertFunction, assertKnownOptions, assertObject, type Clock, systemClock } from '@macadam/core';
import { annotateAuth } from '../annotate-auth.ts';
import { settleCallback } from '../with-timeout.ts';
import { DEFAULT_PREFIX, parseApiKey } from './api-key.ts';
import { ApiKeyError } from './errors.ts';

/** What you store about a key, and whatever else your table has. */
export interface ApiKeyRecord {
  /** The hash that {@link createApiKey} returned. */
  readonly hash: string;
  /** When the key expires, in epoch milliseconds; undefined or null for never. */
  readonly expiresAtMs?: number | null | undefined;
  /** Whether the key is revoked. Default: false. */
  readonly revoked?: boolean | undefined;
  /** The scopes of the key. Default: none. */
  readonly scopes?: readonly string[] | undefined;
}

/** Finds the record of a key by its id. Has to settle within 5 seconds. */
export type ApiKeyLookup<R extends ApiKeyRecord> = (id: string) => R | null | undefined | Promise<R | null | undefined>;

/** Options of {@link verifyApiKey}. */
export interface VerifyApiKeyOptions<R = ApiKeyRecord> {
  /** Keys with another prefix are rejected. Default: `mcd`. */
  prefix?: string;
  /** Keys of another environment are rejected, so that a test key opens nothing live. Default: any. */
  environment?: string;
  /** Called after each accepted use, for a last-used column. Not awaited; errors are ignored. Default: none. */
  onUse?: (record: R, atMs: number) => unknown;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** The principal of an API key. */
export interface ApiKeyPrincipal<R extends ApiKeyRecord> {
  /** The id of the key. */
  readonly id: string;
  /** The environment of the key. */
  readonly environment: string;
  /** The scopes of the record; empty when it has none. */
  readonly scopes: readonly string[];
  /** The record that was found. */
  readonly record: R;
}

/**
 * Verifies an API key. Text that is not a key is rejected without a lookup; the hash is compared in constant time.
 *
 * @throws ApiKeyError (`MAC_API_KEY_INVALID`), with the reason and never the key. An unknown id and a wrong secret have the
 * same reason.
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { createApiKey, verifyApiKey } from '@macadam/auth';
 *
 * const { key, id, hash } = createApiKey({ environment: 'live' });
 * const table = new Map([[id, { hash, scopes: ['orders:read'] }]]);
 * const caller = await verifyApiKey(key, (wanted) => table.get(wanted), { environment: 'live' });
 * console.log(caller.scopes);
 * ```
 */
export async function verifyApiKey<R extends ApiKeyRecord & U, U = R>(
  text: string,
  lookup: ApiKeyLookup<R>,
  options: VerifyApiKeyOptions<U> = {},
): Promise<ApiKeyPrincipal<R>> {
  assertFunction('verifyApiKey.lookup', lookup);
  assertObject('verifyApiKey', options);
  assertKnownOptions('verifyApiKey', options, ['prefix', 'environment', 'onUse', 'clock']);
  const { prefix = DEFAULT_PREFIX, environment, onUse, clock = systemClock } = options;
  if (onUse !== undefined) assertFunction('verifyApiKey.onUse', onUse);
  assertClock('verifyApiKey.clock', clock);
  const key = parseApiKey(text);
  if (key === undefined) throw new ApiKeyError('malformed');
  if (key.prefix !== prefix) throw new ApiKeyError('environment');
  if (environment !== undefined && key.environment !== environment) throw new ApiKeyError('environment');
  let record: R | null | undefined;
  try {
    record = await settleCallback(lookup(key.id), clock);
  } catch (cause) {
    throw new ApiKeyError('lookupFailed', cause);
  }
  if (record === null || record === undefined || !hashesMatch(record.hash, key.hash)) throw new ApiKeyError('unknown');
  const now = clock.now();
  // Values of the wrong type are treated as revoked or expired.
  if (record.revoked !== undefined && record.revoked !== false) throw new ApiKeyError('revoked');
  const { expiresAtMs } = record;
  if (expiresAtMs !== undefined && expiresAtMs !== null && !(now < expiresAtMs)) throw new ApiKeyError('expired');
  notifyUse(onUse, record, now);
  annotateAuth('api_key', { keyId: key.id });
  const scopes = Object.freeze(Array.isArray(record.scopes) ? [...(record.scopes as readonly string[])] : []);
  return Object.freeze({ id: key.id, environment: key.environment, scopes, record });
}

function hashesMatch(stored: unknown, computed: string): boolean {
  if (typeof stored !== 'string') return false;
  const [a, b] = [Buffer.from(stored), Buffer.from(computed)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function notifyUse<R>(onUse: VerifyApiKeyOptions<R>['onUse'], record: R, now: number): void {
  try {
    Promise.resolve(onUse?.(record, now)).catch(() => {});
  } catch {
    // The key is valid, whether or not its use could be recorded.
  }
}
