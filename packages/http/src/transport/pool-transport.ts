import type { Clock } from '@macadam/core';
import {
  type Connections,
  type ConnectionStats,
  type ConnectTarget,
  type DispatchHandler,
  type DispatchOptions,
  type HttpDispatcher,
  type Transport,
} from '../dispatcher.ts';
import { hasHeader } from '../headers.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { ConnectAlong } from './connector.ts';
import { Elsewhere } from './elsewhere.ts';
import { ForwardingPool } from './forwarding-pool.ts';
import { Leaving } from './leaving.ts';
import type { Proxy } from './proxy.ts';
import { describeWay, type Way } from './way.ts';

/** How a transport makes its connections, and for how long it keeps them, in milliseconds. */
export interface TransportOptions {
  readonly connect: ConnectAlong;
  readonly way: (target: ConnectTarget) => Way;
  readonly connectTimeoutMs: number;
  readonly maxConnectionAgeMs: number;
  readonly clock: Clock;
  /** Knows when names have to be asked for again; without it connections only grow old. */
  readonly names: NameWatch | undefined;
}

/** Watches where names lead. */
export interface NameWatch {
  isDue(hostname: string): boolean;
  /** Asks anew, and tells whether the name has left one of its addresses. Never rejects. */
  hasMoved(hostname: string): Promise<boolean>;
}

/**
 * A pool for one origin. After `maxConnectionAgeMs` a new pool takes over, which resolves the name anew; the old one
 * closes when what is in flight on it has ended.
 */
class PoolTransport implements Transport {
  readonly #origin: string;
  readonly #hostname: string;
  readonly #options: TransportOptions;
  #connections: Connections;
  readonly #leaving = new Leaving();
  #renewAt = Infinity;
  #others: Elsewhere | undefined;
  #closed = false;

  constructor(origin: string, options: TransportOptions) {
    this.#origin = origin;
    this.#hostname = new URL(origin).hostname;
    this.#options = options;
    this.#connections = this.#open();
  }

  dispatcher(now: number): HttpDispatcher {
    if (this.#options.maxConnectionAgeMs !== Infinity) this.#renew(now);
    if (this.#options.names?.isDue(this.#hostname) === true) void this.#follow(this.#options.names);
    return this.#connections;
  }

  get elsewhere(): HttpDispatcher {
    const { way, clock } = this.#options;
    return (this.#others ??= new Elsewhere(way, clock, (origin) => new PoolTransport(origin, this.#options)));
  }

  #open(): Connections {
    const way = this.#options.way(new URL(this.#origin));
    const { connect, connectTimeoutMs: timeoutMs } = this.#options;
    if (way.forwards) {
      return new Proxied(
        new ForwardingPool(way.proxy as Proxy, (_target, callback) => connect(way, callback), timeoutMs),
      );
    }
    const connections = new ConnectionPool({
      origin: this.#origin,
      connect: (target, callback) => connect(this.#options.way(target), callback),
      timeoutMs,
    });
    return way.proxy === undefined ? connections : new Proxied(connections);
  }

  #renew(now: number): void {
    if (now >= this.#renewAt) this.#replace();
    else if (this.#renewAt !== Infinity) return;
    this.#renewAt = now + this.#options.maxConnectionAgeMs;
  }

  async #follow(names: NameWatch): Promise<void> {
    const moved = await names.hasMoved(this.#hostname);
    if (moved && !this.#closed) this.#replace();
  }

  #replace(): void {
    this.#leaving.add(this.#connections.close());
    this.#connections = this.#open();
  }

  describe(): string {
    const { connectTimeoutMs, maxConnectionAgeMs, names, way } = this.#options;
    const via = describeWay(way(new URL(this.#origin)));
    const age = maxConnectionAgeMs === Infinity ? '' : `, renewed every ${maxConnectionAgeMs} ms`;
    const move = names === undefined ? '' : ', and when the name has moved';
    return `its own connection pool${via}, connecting within ${connectTimeoutMs} ms${age}${move}`;
  }

  stats(): ConnectionStats {
    const { connected, free, pending, running } = this.#connections.stats;
    return { connected, free, pending, running };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#connections.close(), this.#others?.close(), this.#leaving.ended()]);
  }
}

/** Connections through a proxy. A header for it would reach the origin, at the end of the tunnel. */
class Proxied implements Connections {
  readonly #connections: Connections;

  constructor(connections: Connections) {
    this.#connections = connections;
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    if (hasHeader(options.headers as string[], 'proxy-authorization')) {
      const error = new Error('User and password for a proxy are given in its URL, not as a header');
      throw Object.assign(error, { code: 'UND_ERR_INVALID_ARG' });
    }
    return this.#connections.dispatch(options, receiver);
  }

  get stats(): ConnectionStats {
    return this.#connections.stats;
  }

  close(): Promise<void> {
    return this.#connections.close();
  }
}

export function poolTransport(origin: string, options: TransportOptions): Transport {
  return new PoolTransport(origin, options);
}
