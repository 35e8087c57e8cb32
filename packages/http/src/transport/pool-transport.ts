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
import { describeRoute, type ConnectionRoute } from './connection-route.ts';
import type { ConnectRoute } from './connector.ts';
import { CrossOriginTransports } from './cross-origin-transports.ts';
import { DrainingConnections } from './draining-connections.ts';
import { ForwardingPool } from './forwarding-pool.ts';

/** How a transport makes connections, and when it replaces them. */
export interface PoolTransportOptions {
  readonly connect: ConnectRoute;
  readonly routeTo: (target: ConnectTarget) => ConnectionRoute;
  readonly connectTimeoutMs: number;
  readonly maxConnectionAgeMs: number;
  readonly clock: Clock;
  /** Detects names that have moved to other addresses; undefined when connections are replaced by age only. */
  readonly resolver: AddressWatch | undefined;
}

/** Detects that a host name has moved to other addresses. */
export interface AddressWatch {
  /** Whether the addresses of the name have to be resolved again. */
  isRefreshDue(hostname: string): boolean;
  /** Resolves the name again if its addresses have expired. Never rejects. */
  refresh(hostname: string): Promise<void>;
  /** A number that rises whenever the name has lost an address. */
  lastMove(hostname: string): number;
}

/**
 * The connections to one origin. After `maxConnectionAgeMs`, or when the host name has moved, a new pool takes over, which
 * resolves the name again. The previous pool closes when its requests in flight have ended.
 */
export class PoolTransport implements Transport {
  readonly #origin: string;
  readonly #hostname: string;
  readonly #options: PoolTransportOptions;
  #connections: Connections;
  /** The last move of the name before the pool was created. */
  #knownMove = 0;
  readonly #draining = new DrainingConnections();
  /** `Infinity` until the first request: the age of connections counts from there. */
  #replaceAt = Infinity;
  #crossOrigin: CrossOriginTransports | undefined;
  #isClosed = false;

  constructor(origin: string, options: PoolTransportOptions) {
    this.#origin = origin;
    this.#hostname = new URL(origin).hostname;
    this.#options = options;
    this.#connections = this.#createPool();
  }

  dispatcher(now: number): HttpDispatcher {
    const { maxConnectionAgeMs, resolver } = this.#options;
    if (maxConnectionAgeMs !== Infinity) this.#replaceByAge(now);
    if (resolver !== undefined) this.#followMoves(resolver);
    return this.#connections;
  }

  get crossOrigin(): HttpDispatcher {
    const { routeTo, clock } = this.#options;
    return (this.#crossOrigin ??= new CrossOriginTransports(
      routeTo,
      clock,
      (origin) => new PoolTransport(origin, this.#options),
    ));
  }

  #createPool(): Connections {
    const { connect, routeTo, connectTimeoutMs: timeoutMs, resolver } = this.#options;
    this.#knownMove = resolver?.lastMove(this.#hostname) ?? 0;
    const route = routeTo(new URL(this.#origin));
    if (route.kind === 'forward') {
      const pool = new ForwardingPool(route.proxy, (_target, callback) => connect(route, callback), timeoutMs);
      return new ProxiedConnections(pool);
    }
    const pool = new ConnectionPool({
      origin: this.#origin,
      connect: (target, callback) => connect(routeTo(target), callback),
      timeoutMs,
    });
    return route.kind === 'direct' ? pool : new ProxiedConnections(pool);
  }

  #replaceByAge(now: number): void {
    if (now >= this.#replaceAt) this.#replacePool();
    else if (this.#replaceAt !== Infinity) return;
    this.#replaceAt = now + this.#options.maxConnectionAgeMs;
  }

  #followMoves(resolver: AddressWatch): void {
    // Other transports share the resolver, so a move may be known already.
    this.#replaceIfMoved(resolver);
    if (!resolver.isRefreshDue(this.#hostname)) return;
    void resolver.refresh(this.#hostname).then(() => this.#replaceIfMoved(resolver));
  }

  #replaceIfMoved(resolver: AddressWatch): void {
    if (resolver.lastMove(this.#hostname) > this.#knownMove && !this.#isClosed) this.#replacePool();
  }

  #replacePool(): void {
    this.#draining.add(this.#connections.close());
    this.#connections = this.#createPool();
  }

  describe(): string {
    const { connectTimeoutMs, maxConnectionAgeMs, resolver, routeTo } = this.#options;
    const via = describeRoute(routeTo(new URL(this.#origin)));
    const age = maxConnectionAgeMs === Infinity ? '' : `, renewed every ${maxConnectionAgeMs} ms`;
    const move = resolver === undefined ? '' : ', and when the name has moved';
    return `its own connection pool${via}, connecting within ${connectTimeoutMs} ms${age}${move}`;
  }

  stats(): ConnectionStats {
    const { connected, free, pending, running } = this.#connections.stats;
    return { connected, free, pending, running };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([this.#connections.close(), this.#crossOrigin?.close(), this.#draining.drained()]);
  }
}

/**
 * Connections through a proxy. Refuses a `proxy-authorization` header on requests: through a tunnel it would reach the
 * origin, which must not learn the credentials for the proxy.
 */
class ProxiedConnections implements Connections {
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
