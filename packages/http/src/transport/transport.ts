import { foreignTransport, poolTransport, proxyTransport, type Transport } from '../dispatcher.ts';
import type { HttpClientSettings } from '../settings.ts';
import { connector } from './connector.ts';

/** The way to `origin`, as the options of the client say. */
export function transportTo(origin: string, settings: HttpClientSettings): Transport {
  const { dispatcher, connection, connectTimeoutMs, clock } = settings;
  if (dispatcher !== undefined) return foreignTransport(dispatcher);
  const { maxConnectionAgeMs, proxy, tls } = connection;
  if (proxy !== false) {
    return proxyTransport(proxy, {
      connectTimeoutMs,
      maxConnectionAgeMs,
      tls: typeof tls === 'function' ? undefined : tls,
    });
  }
  return poolTransport(origin, {
    connect: connector(connection, connectTimeoutMs),
    connectTimeoutMs,
    maxConnectionAgeMs,
    clock,
  });
}
