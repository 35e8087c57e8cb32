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
import { proxiesOf, type Proxies } from './proxy.ts';
import { resolveByDns, type ResolveFunction } from './ttl-resolver.ts';
import { assertSoundTls, assertTlsOptions, type TlsSource } from './tls.ts';

/** How names become addresses. */
export interface DnsOptions {
  /**
   * A connection is used for so long at most, in milliseconds, above 0; then the name is resolved anew for the next one.
   * Without it a connection that is always busy never notices that a service has moved. Default: 300 000 (5 minutes).
   */
  maxConnectionAgeMs?: number;
  /** Resolves names, as `dns.lookup` does. Default: the system's resolver. Either this or `resolve`. */
  lookup?: LookupFunction;
  /**
   * Resolves names together with the time their addresses are good for: `dns` asks DNS (and the system for names that DNS
   * does not know), or a function does. An answer is used until then and not a moment longer; when the name has left an
   * address by then, new connections take over from all that there are. Default: neither; `lookup` is asked for each new
   * connection.
   */
  resolve?: 'dns' | ResolveFunction;
}

/** The options of a client that say how it connects. */
export interface ConnectionOptions {
  /** `block-private`: connects to public addresses only, whatever a name resolves to. Default: `off`. */
  ssrf?: 'block-private' | 'off';
  /** Certificates and trust; a function is asked for each new connection. Default: what Node trusts. */
  tls?: TlsSource;
  /**
   * An http, https or socks5 URL to connect through; `env` for what `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` say when the
   * client is made. The proxy resolves the names, unless `ssrf`, `dns.lookup` or `dns.resolve` is given: then it is asked for
   * the address that was found here. Default: false, whatever the environment says.
   */
  proxy?: string | false;
  /** How names become addresses, and for how long a connection is used. Left out with a `dispatcher`. */
  dns?: DnsOptions;
}

/** Source: as long as .NET's documentation recommends at most for `PooledConnectionLifetime`. */
export const DEFAULT_MAX_CONNECTION_AGE_MS = 300_000;

/** How connections are made, with every default filled in. */
export interface ConnectionSettings {
  readonly blockPrivate: boolean;
  readonly tls: TlsSource | undefined;
  readonly proxies: Proxies;
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
      throw new OptionsError(name, withheld(options[name]), 'left out: connecting is up to the dispatcher given');
    }
  }
  assertOneOf('ssrf', ssrf, ['off', 'block-private']);
  if (tls !== undefined && typeof tls !== 'function') {
    assertTlsOptions(tls);
    assertSoundTls(tls);
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
    proxies: proxiesOf(proxy),
    maxConnectionAgeMs,
    lookup,
    resolve,
  };
}
