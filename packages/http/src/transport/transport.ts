import { ExternalTransport, type ConnectTarget, type Transport } from '../dispatcher.ts';
import type { HttpClientSettings } from '../settings.ts';
import { connectionRoute, type ConnectionRoute } from './connection-route.ts';
import { createConnector } from './connector.ts';
import { PoolTransport } from './pool-transport.ts';
import { TtlResolver } from './ttl-resolver.ts';

/** Creates the transport to `origin`: connection pools, or the dispatcher from the client's options. */
export function createTransport(origin: string, settings: HttpClientSettings): Transport {
  const { dispatcher, connection, connectTimeoutMs, clock } = settings;
  if (dispatcher !== undefined) return new ExternalTransport(dispatcher);
  const { maxConnectionAgeMs, resolve } = connection;
  const resolver = resolve && new TtlResolver(resolve, clock);
  const connect = createConnector(connection, { connectTimeoutMs, clock, resolver });
  const routeTo = (target: ConnectTarget): ConnectionRoute => connectionRoute(target, connection);
  return new PoolTransport(origin, { connect, routeTo, connectTimeoutMs, maxConnectionAgeMs, clock, resolver });
}
