import { ForeignTransport, proxyTransport, type Transport } from '../dispatcher.ts';
import type { HttpClientSettings } from '../settings.ts';
import { connector } from './connector.ts';
import { poolTransport } from './pool-transport.ts';
import { steadily } from './tls.ts';
import { TtlResolver } from './ttl-resolver.ts';

/** The way to `origin`, as the options of the client say. */
export function transportTo(origin: string, settings: HttpClientSettings): Transport {
  const { dispatcher, connection, connectTimeoutMs, clock } = settings;
  if (dispatcher !== undefined) return new ForeignTransport(dispatcher);
  const { maxConnectionAgeMs, proxy, tls, blockPrivate, lookup, resolve } = connection;
  if (proxy !== false && !blockPrivate && lookup === undefined && resolve === undefined) {
    const encrypted = typeof tls === 'function' ? steadily(tls) : tls;
    return proxyTransport(proxy, { connectTimeoutMs, maxConnectionAgeMs, tls: encrypted });
  }
  const names = resolve && new TtlResolver(resolve, clock);
  const connect = connector(connection, connectTimeoutMs, names);
  return poolTransport(origin, { connect, proxy, connectTimeoutMs, maxConnectionAgeMs, names });
}
