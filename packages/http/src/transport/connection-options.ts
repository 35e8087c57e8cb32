import {
  assertKnownOptions,
  assertObject,
  assertDurationMs,
  assertFunction,
  assertOneOf,
  OptionsError,
  withheld,
} from '@macadam/core';
import type { LookupFunction } from 'node:net';
import { proxySelector, type ProxySelector } from './proxy.ts';
import { resolveByDns, type ResolveFunction } from './ttl-resolver.ts';
import { assertLoadableTls, assertTlsOptions, type TlsSource } from './tls.ts';

/** How host names are resolved, and how long connections to an address are used. */
export interface DnsOptions {
  /**
   * Maximum age of a connection in milliseconds, above 0; `Infinity` for no limit. After that the name is resolved again for a
   * new connection; otherwise a connection that is always busy never follows a service that has moved. Default: 300 000 (5
   * minutes; the maximum that .NET recommends for `PooledConnectionLifetime`).
   */
  maxConnectionAgeMs?: number;
  /** Resolves names like `dns.lookup` of Node.js, once per new connection. Not allowed with `resolve`. Default: `dns.lookup`. */
  lookup?: LookupFunction;
  /**
   * Resolves names together with the TTL of their addresses: `'dns'` queries DNS (and the system's resolver for names that DNS
   * does not know); or a function. Addresses are used until their TTL has passed. If the name then resolves to others,
   * new connections replace all existing ones. Default: none; `lookup` is called for each new connection.
   */
  resolve?: 'dns' | ResolveFunction;
}

/** How a client connects. None of these is allowed together with `dispatcher`. */
export interface ConnectionOptions {
  /**
   * `block-private` connects to public addresses only, whatever a name resolves to, and rejects with `HttpSsrfError` otherwise: for
   * URLs that users supply. Default: `off`.
   */
  ssrf?: 'block-private' | 'off';
  /** Certificates and trust, or a function that returns them for each new connection. Default: those of Node.js. */
  tls?: TlsSource;
  /**
   * A proxy to connect through: an http, https or socks5 URL, or `'env'` for `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` as they
   * are when the client is created. The proxy resolves host names, unless `ssrf`, `dns.lookup` or `dns.resolve` is given: then
   * names are resolved here, and the proxy is asked for the address. Default: false, whatever the environment says.
   */
  proxy?: string | false;
  /** How host names are resolved, and how long connections are used; merged over the defaults. */
  dns?: DnsOptions;
}

/** Source: the maximum that .NET's documentation recommends for `PooledConnectionLifetime`. */
export const DEFAULT_MAX_CONNECTION_AGE_MS = 300_000;

/** How connections are made, with every default filled in. */
export interface ConnectionSettings {
  readonly blockPrivate: boolean;
  readonly tls: TlsSource | undefined;
  readonly selectProxy: ProxySelector;
  readonly maxConnectionAgeMs: number;
  readonly lookup: LookupFunction | undefined;
  readonly resolve: ResolveFunction | undefined;
}

const OPTION_NAMES = ['ssrf', 'tls', 'proxy', 'dns'] as const;

export function connectionSettings(options: ConnectionOptions & { dispatcher?: unknown }): ConnectionSettings {
  const { ssrf = 'off', tls, proxy = false, dns = {} } = options;
  if (options.dispatcher !== undefined) {
    for (const name of OPTION_NAMES) {
      if (options[name] === undefined) continue;
      throw new OptionsError(name, withheld(options[name]), 'left out: the given dispatcher makes the connections');
    }
  }
  assertOneOf('ssrf', ssrf, ['off', 'block-private']);
  if (tls !== undefined && typeof tls !== 'function') {
    assertTlsOptions(tls);
    assertLoadableTls(tls);
  }
  assertObject('dns', dns);
  assertKnownOptions('dns', dns, ['maxConnectionAgeMs', 'lookup', 'resolve']);
  const { maxConnectionAgeMs = DEFAULT_MAX_CONNECTION_AGE_MS, lookup } = dns;
  const resolve = dns.resolve === 'dns' ? resolveByDns : dns.resolve;
  assertDurationMs('dns.maxConnectionAgeMs', maxConnectionAgeMs, { above: 0, infinite: true });
  if (lookup !== undefined) assertFunction('dns.lookup', lookup);
  if (resolve !== undefined) {
    if (typeof resolve !== 'function') throw new OptionsError('dns.resolve', resolve, '"dns" or a function');
    if (lookup !== undefined) throw new OptionsError('dns.resolve', dns.resolve, 'left out with dns.lookup');
  }
  return {
    blockPrivate: ssrf === 'block-private',
    tls,
    selectProxy: proxySelector(proxy),
    maxConnectionAgeMs,
    lookup,
    resolve,
  };
}
