import type { Clock, Random } from '@macadam/core';
import type { HttpAuth } from '../auth.ts';
import type { HttpClientSettings } from '../settings.ts';
import type { TracedClient } from '../trace-attributes.ts';
import type { HttpCacheSettings } from './options.ts';
import type { Keeping } from './record.ts';

/** Whose cache it is. */
export interface CacheContext {
  readonly keeping: Keeping;
  readonly clock: Clock;
  readonly random: Random;
  /** How long a call may take that does not say so itself. */
  readonly timeoutMs: number;
  readonly origin: string;
  /** Who adds credentials to requests on their way. */
  readonly auth: HttpAuth | undefined;
  /** Whether redirects are followed. */
  readonly redirects: boolean;
  readonly traced: TracedClient;
}

export function cacheContext(cache: HttpCacheSettings, settings: HttpClientSettings, traced: TracedClient): CacheContext {
  const { clock, random, timeoutMs, origin, auth } = settings;
  const redirects = settings.redirects !== false;
  return { keeping: storageContext(cache, settings), clock, random, timeoutMs, origin, auth, redirects, traced };
}

export function storageContext({ mode }: HttpCacheSettings, { origin, endpoints, auth }: HttpClientSettings): Keeping {
  // Several endpoints stand for one service, whose URL is that of the first, with its path: others may be at the same host.
  const base = origin + (endpoints?.targets?.[0]?.pathPrefix ?? '');
  return { mode, base, authorizes: auth !== undefined };
}
