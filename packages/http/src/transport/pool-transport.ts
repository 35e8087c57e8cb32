import {
  openAgent,
  openConnection,
  openPool,
  type Connect,
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
import { ForwardingPool } from './forwarding-pool.ts';
import type { Proxy } from './proxy.ts';
import { describeWay, type Way } from './way.ts';

/** How a transport makes its connections, and for how long it keeps them, in milliseconds. */
export interface TransportOptions {
  readonly connect: ConnectAlong;
  readonly way: (target: ConnectTarget) => Way;
  readonly connectTimeoutMs: number;
  readonly maxConnectionAgeMs: number;
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
    return (this.#others ??= new Elsewhere(this.#options));
  }

  #open(): Connections {
    const way = this.#options.way(new URL(this.#origin));
    if (way.forwards) return new Proxied(forwardingPool(way, this.#options));
    const connect = connectVia(this.#options);
    // With TLS the other side may agree to HTTP/2.
    const connections = this.#origin.startsWith('https:')
      ? openPool(this.#origin, connect)
      : new ConnectionPool(() => openConnection(this.#origin, connect));
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
    const old = this.#connections;
    this.#connections = this.#open();
    void old.close();
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
    await Promise.all([this.#connections.close(), this.#others?.close()]);
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

/** Connections to any origin but the client's own. */
class Elsewhere implements HttpDispatcher {
  readonly #options: TransportOptions;
  readonly #agent: ReturnType<typeof openAgent>;
  #forwarding: Connections | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#agent = openAgent(connectVia(options), options.maxConnectionAgeMs);
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    const way = this.#options.way(new URL(options.origin as string));
    if (!way.forwards) return this.#agent.dispatch(options, receiver);
    // There is one proxy for all that is forwarded.
    this.#forwarding ??= forwardingPool(way, this.#options);
    return this.#forwarding.dispatch(options, receiver);
  }

  async close(): Promise<void> {
    await Promise.all([this.#agent.close(), this.#forwarding?.close()]);
  }
}

function connectVia({ connect, way }: TransportOptions): Connect {
  return (target, callback) => connect(way(target), callback);
}

function forwardingPool(way: Way, { connect }: TransportOptions): Connections {
  return new ForwardingPool(way.proxy as Proxy, (_target, callback) => connect(way, callback));
}

export function poolTransport(origin: string, options: TransportOptions): Transport {
  return new PoolTransport(origin, options);
}
