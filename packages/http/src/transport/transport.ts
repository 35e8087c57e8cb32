import { ForeignTransport, type ConnectTarget, type Transport } from '../dispatcher.ts';
import type { HttpClientSettings } from '../settings.ts';
import { connector } from './connector.ts';
import { poolTransport } from './pool-transport.ts';
import { TtlResolver } from './ttl-resolver.ts';
import { wayTo, type Way } from './way.ts';

/** The way to `origin`, as the options of the client say. */
export function transportTo(origin: string, settings: HttpClientSettings): Transport {
  const { dispatcher, connection, connectTimeoutMs, clock } = settings;
  if (dispatcher !== undefined) return new ForeignTransport(dispatcher);
  const { maxConnectionAgeMs, resolve } = connection;
  const names = resolve && new TtlResolver(resolve, clock);
  const connect = connector(connection, { connectTimeoutMs, clock, names });
  const way = (target: ConnectTarget): Way => wayTo(target, connection);
  return poolTransport(origin, { connect, way, connectTimeoutMs, maxConnectionAgeMs, clock, names });
}
