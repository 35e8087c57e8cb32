import { RecencyMap, type Clock } from '@macadam/core';
import type { ConnectTarget, DispatchHandler, DispatchOptions, HttpDispatcher, Transport } from '../dispatcher.ts';
import { Leaving } from './leaving.ts';
import type { Way } from './way.ts';

/** Redirects may lead anywhere. Of more origins than this, those used the longest ago lose their connections. */
const MOST_ORIGINS = 100;

/** Connections to any origin but the client's own, each in a transport of its own. */
export class Elsewhere implements HttpDispatcher {
  readonly #way: (target: ConnectTarget) => Way;
  readonly #clock: Clock;
  readonly #make: (origin: string) => Transport;
  readonly #transports = new RecencyMap<string, Transport>();
  readonly #leaving = new Leaving();

  constructor(way: (target: ConnectTarget) => Way, clock: Clock, make: (origin: string) => Transport) {
    this.#way = way;
    this.#clock = clock;
    this.#make = make;
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    const transport = this.#transportTo(options.origin as string);
    return transport.dispatcher(this.#clock.monotonic()).dispatch(options, receiver);
  }

  async close(): Promise<void> {
    const closings = Array.from(this.#transports.values(), (transport) => transport.close());
    await Promise.all([...closings, this.#leaving.ended()]);
  }

  #transportTo(origin: string): Transport {
    const { proxy, forwards } = this.#way(new URL(origin));
    // All that is forwarded goes to one proxy, over the same connections.
    const key = forwards && proxy !== undefined ? proxy.host : origin;
    const known = this.#transports.get(key);
    if (known !== undefined) return known;
    if (this.#transports.size >= MOST_ORIGINS) {
      const [, leaving] = this.#transports.deleteOldest() as readonly [string, Transport];
      this.#leaving.add(leaving.close());
    }
    const made = this.#make(origin);
    this.#transports.set(key, made);
    return made;
  }
}
