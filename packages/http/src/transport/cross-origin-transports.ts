import { RecencyMap, type Clock } from '@macadam/core';
import type { ConnectTarget, DispatchHandler, DispatchOptions, HttpDispatcher, Transport } from '../dispatcher.ts';
import type { ConnectionRoute } from './connection-route.ts';
import { DrainingConnections } from './draining-connections.ts';

/** Redirects may lead to any number of origins. Above this, the transport of the least recently used origin is closed. */
const MAX_ORIGINS = 100;

/** Sends redirected requests to origins other than the client's own, each through a transport of its own. */
export class CrossOriginTransports implements HttpDispatcher {
  readonly #routeTo: (target: ConnectTarget) => ConnectionRoute;
  readonly #clock: Clock;
  readonly #createTransport: (origin: string) => Transport;
  readonly #transports = new RecencyMap<string, Transport>();
  readonly #draining = new DrainingConnections();

  constructor(
    routeTo: (target: ConnectTarget) => ConnectionRoute,
    clock: Clock,
    createTransport: (origin: string) => Transport,
  ) {
    this.#routeTo = routeTo;
    this.#clock = clock;
    this.#createTransport = createTransport;
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    const transport = this.#transportTo(options.origin as string);
    return transport.dispatcher(this.#clock.monotonic()).dispatch(options, receiver);
  }

  async close(): Promise<void> {
    const closings = Array.from(this.#transports.values(), (transport) => transport.close());
    await Promise.all([...closings, this.#draining.drained()]);
  }

  #transportTo(origin: string): Transport {
    const route = this.#routeTo(new URL(origin));
    // All requests that one proxy forwards share the connections to it, whatever their origin.
    const key = route.kind === 'forward' ? route.proxy.host : origin;
    const existing = this.#transports.get(key);
    if (existing !== undefined) return existing;
    if (this.#transports.size >= MAX_ORIGINS) {
      const [, evicted] = this.#transports.deleteOldest() as readonly [string, Transport];
      this.#draining.add(evicted.close());
    }
    const transport = this.#createTransport(origin);
    this.#transports.set(key, transport);
    return transport;
  }
}
