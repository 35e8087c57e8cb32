/**
 * Resolves host names by DNS and caches the addresses for as long as their TTL says. `dns.lookup` uses the operating system,
 * which does not report a TTL, so its callers have to guess when to resolve again. Expired addresses are never returned.
 */
import { lookup as systemLookup, promises as dns, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { RecencyMap, type Clock } from '@macadam/core';

/** An address of a host name. */
export interface ResolvedAddress {
  /** The IPv4 or IPv6 address. */
  readonly address: string;
  /** How long the address is valid, in milliseconds; less than 1 000 counts as 1 000. */
  readonly ttlMs: number;
}

/** Resolves a host name to its addresses. Should reject with an error that has a `code`, such as `ENOTFOUND`. */
export type ResolveFunction = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** A record may have a TTL of 0; resolving for each connection would still be too often. */
const MIN_TTL_MS = 1_000;
/** Bounds the cache: redirects may lead to any number of hosts. */
const MAX_CACHED_NAMES = 1_000;
/** A query that is not answered within this time is sent again; the first one stays in flight and may never be answered. */
const QUERY_PATIENCE_MS = 5_000;
/** When the query for one address family fails, the addresses of the other are used, but only for this long. */
const ONE_FAMILY_TTL_MS = 5_000;
/** The TTL of a name that only the operating system knows, for example from its hosts file. */
const SYSTEM_TTL_MS = 60_000;

interface CachedName {
  readonly addresses: readonly LookupAddress[];
  readonly queriedAt: number;
  readonly expiresAt: number;
  /** When to resolve again: at `expiresAt`, or later after a failure. */
  refreshAt: number;
  /** The number of the move in which it last lost an address, or 0. */
  readonly lastMove: number;
}

interface Query {
  readonly addresses: Promise<readonly LookupAddress[]>;
  readonly startedAt: number;
}

export class TtlResolver {
  readonly #resolve: ResolveFunction;
  readonly #clock: Clock;
  /** The names that were resolved the longest ago are evicted first. */
  readonly #cache = new RecencyMap<string, CachedName>();
  readonly #queries = new Map<string, Query>();
  /** Moves of all names. */
  #moves = 0;

  constructor(resolve: ResolveFunction, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** Has the interface of `dns.lookup`. */
  readonly lookup: LookupFunction = (hostname, options: LookupOptions, callback) => {
    this.#addresses(hostname).then(
      (all) => {
        const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
        const matching = family === 0 ? all : all.filter((address) => address.family === family);
        if (options.all === true) callback(null, [...matching]);
        else callback(null, matching[0]?.address as string, matching[0]?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };

  /** Whether the name should be resolved again; false for a name that was never resolved. */
  isRefreshDue(hostname: string): boolean {
    const cached = this.#cache.peek(hostname);
    if (cached === undefined || this.#pendingQuery(hostname) !== undefined) return false;
    return this.#clock.monotonic() >= cached.refreshAt;
  }

  /** Resolves the name again if its addresses have expired. Never rejects. */
  async refresh(hostname: string): Promise<void> {
    // A failure does not affect open connections; the name is resolved again a little later.
    await this.#addresses(hostname).catch(() => {
      const cached = this.#cache.peek(hostname);
      if (cached !== undefined) cached.refreshAt = this.#clock.monotonic() + MIN_TTL_MS;
    });
  }

  /** A number that rises whenever the name has lost an address; 0 if it never has. */
  lastMove(hostname: string): number {
    return this.#cache.peek(hostname)?.lastMove ?? 0;
  }

  #addresses(hostname: string): Promise<readonly LookupAddress[]> {
    const cached = this.#cache.peek(hostname);
    if (cached !== undefined && this.#clock.monotonic() < cached.expiresAt) return Promise.resolve(cached.addresses);
    const pending = this.#pendingQuery(hostname);
    if (pending !== undefined) return pending.addresses;
    const startedAt = this.#clock.monotonic();
    const addresses = this.#query(hostname, startedAt).finally(() => {
      if (this.#queries.get(hostname)?.addresses === addresses) this.#queries.delete(hostname);
    });
    this.#queries.set(hostname, { addresses, startedAt });
    return addresses;
  }

  /** The query in flight for a name, unless it has taken too long. */
  #pendingQuery(hostname: string): Query | undefined {
    const query = this.#queries.get(hostname);
    return query !== undefined && this.#clock.monotonic() - query.startedAt < QUERY_PATIENCE_MS ? query : undefined;
  }

  async #query(hostname: string, startedAt: number): Promise<readonly LookupAddress[]> {
    const records = await this.#resolve(hostname);
    if (records.length === 0) {
      throw Object.assign(new Error('The host has no address'), { code: 'ENODATA', hostname });
    }
    const addresses = records.map(({ address }) => ({ address, family: isIP(address) }));
    const previous = this.#cache.peek(hostname);
    // This query took so long that a later one was sent, and that was answered first.
    if (previous !== undefined && previous.queriedAt > startedAt) return addresses;
    const hasLost = ({ address: old }: LookupAddress): boolean => addresses.every(({ address }) => address !== old);
    const lastMove = previous?.addresses.some(hasLost) === true ? ++this.#moves : (previous?.lastMove ?? 0);
    if (previous === undefined && this.#cache.size >= MAX_CACHED_NAMES) this.#cache.deleteOldest();
    const ttlMs = Math.max(MIN_TTL_MS, Math.min(...records.map((record) => record.ttlMs)));
    const expiresAt = this.#clock.monotonic() + ttlMs;
    this.#cache.set(hostname, { addresses, queriedAt: startedAt, expiresAt, refreshAt: expiresAt, lastMove });
    return addresses;
  }
}

/**
 * Resolves a name by DNS, IPv4 addresses first. A name without records in DNS is resolved by the operating system, which also
 * knows the hosts file.
 */
export async function resolveByDns(hostname: string): Promise<readonly ResolvedAddress[]> {
  const results = await Promise.allSettled([
    dns.resolve4(hostname, { ttl: true }),
    dns.resolve6(hostname, { ttl: true }),
  ]);
  const records = results.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
  const maxTtlMs = results.some(isFailedQuery) ? ONE_FAMILY_TTL_MS : Infinity;
  if (records.length > 0)
    return records.map(({ address, ttl }) => ({ address, ttlMs: Math.min(ttl * 1_000, maxTtlMs) }));
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => {
      if (error !== null) reject(error);
      else resolve(addresses.map(({ address }) => ({ address, ttlMs: SYSTEM_TTL_MS })));
    });
  });
}

/** Whether the query itself failed. That a name has no address of a family is an answer, not a failure. */
function isFailedQuery(result: PromiseSettledResult<unknown>): boolean {
  return result.status === 'rejected' && !['ENODATA', 'ENOTFOUND'].includes((result.reason as { code: string }).code);
}
