import type { Clock, Random } from '@macadam/core';
import type { HttpAuth } from '../auth.ts';
import { ATTEMPT_HEADER, TIMEOUT_HEADER } from '../peer.ts';
import type { HttpClientSettings } from '../settings.ts';
import { W3C_HEADERS } from '../trace-headers.ts';
import type { TracedClient } from '../trace-attributes.ts';
import type { HttpCacheSettings } from './options.ts';
import type { StorageContext } from './storage.ts';

/** What a cache uses of its client. */
export interface CacheContext {
  readonly storage: StorageContext;
  readonly clock: Clock;
  readonly random: Random;
  /** The time limit of a call that sets none itself. */
  readonly timeoutMs: number;
  readonly origin: string;
  readonly auth: HttpAuth | undefined;
  /** Whether the service is sent the priority of calls. */
  readonly sendsPriority: boolean;
  readonly followsRedirects: boolean;
  readonly traced: TracedClient;
}

export function cacheContext(
  cache: HttpCacheSettings,
  settings: HttpClientSettings,
  traced: TracedClient,
): CacheContext {
  const { clock, random, timeoutMs, origin, auth } = settings;
  const followsRedirects = settings.redirects !== false;
  const sendsPriority = settings.peer === 'internal';
  const storage = storageContext(cache, settings);
  return { storage, clock, random, timeoutMs, origin, auth, sendsPriority, followsRedirects, traced };
}

/** Conditions that the cache adds itself. */
const CONDITIONS = ['if-modified-since', 'if-none-match', 'if-range'];
/** What an internal peer is sent with each attempt, besides the priority. */
const PROPAGATION_HEADERS = [TIMEOUT_HEADER, ATTEMPT_HEADER, ...W3C_HEADERS];

export function storageContext(
  { mode }: HttpCacheSettings,
  { origin, endpoints, auth, peer, limits }: HttpClientSettings,
): StorageContext {
  // All endpoints are one service to the cache, known by the URL of the first. The path prefix belongs to it: another
  // service may be at the same origin.
  const baseUrl = origin + (endpoints?.targets?.[0]?.pathPrefix ?? '');
  return {
    mode,
    baseUrl,
    addsCredentials: auth !== undefined,
    unmatchedHeaders: new Set(peer === 'internal' ? [...CONDITIONS, ...PROPAGATION_HEADERS] : CONDITIONS),
    maxBytes: limits.maxBytes,
  };
}
