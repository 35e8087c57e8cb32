import type { Socket } from 'node:net';
import type { Clock } from '@macadam/core';
import {
  Agent,
  BalancedPool,
  buildConnector,
  Client,
  EnvHttpProxyAgent,
  Pool,
  ProxyAgent,
  type Dispatcher,
} from 'undici';

/** The transport underneath: an undici `Agent`, `Pool`, `ProxyAgent`, `MockAgent`, … */
export type HttpDispatcher = Dispatcher;
export type DispatchOptions = Dispatcher.DispatchOptions;
export type DispatchController = Dispatcher.DispatchController;
export type DispatchHandler = Dispatcher.DispatchHandler;
/** Header values by lower-case name, as undici parses them. */
export type RawHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Where to connect to. */
export interface ConnectTarget {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
}

/** Makes one connection. */
export type Connect = (
  target: ConnectTarget,
  callback: (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void,
) => void;

/** Numbers of a connection pool, read when asked for. */
export interface ConnectionStats {
  readonly connected: number;
  readonly free: number;
  readonly pending: number;
  readonly running: number;
}

/** Where requests go out: a pool of ours, or the caller's dispatcher, which stays the caller's to close. */
export interface Transport {
  readonly dispatcher: HttpDispatcher;
  /** For other origins, where a redirect may lead; undefined when there is no way to them. */
  readonly elsewhere: HttpDispatcher | undefined;
  describe(): string;
  stats(): ConnectionStats | undefined;
  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void>;
}

/** How a transport makes its connections, and for how long it keeps them, in milliseconds. */
export interface TransportOptions {
  readonly connect: Connect;
  readonly connectTimeoutMs: number;
  readonly maxConnectionAgeMs: number;
  readonly clock: Clock;
}

/** The time limits of a try are the client's, so the transport keeps no timers of its own. */
const NO_TIMERS = { headersTimeout: 0, bodyTimeout: 0 };

/**
 * A pool for one origin. After `maxConnectionAgeMs` a new pool takes over, which resolves the name anew; the old one
 * closes when what is in flight on it has ended.
 */
class PoolTransport implements Transport {
  readonly #origin: string;
  readonly #options: TransportOptions;
  #pool: Pool;
  #renewAt = Infinity;
  #others: Agent | undefined;

  constructor(origin: string, options: TransportOptions) {
    this.#origin = origin;
    this.#options = options;
    this.#pool = this.#open();
  }

  get dispatcher(): HttpDispatcher {
    if (this.#options.maxConnectionAgeMs !== Infinity) this.#renew();
    return this.#pool;
  }

  get elsewhere(): HttpDispatcher {
    const { connect, maxConnectionAgeMs } = this.#options;
    return (this.#others ??= new Agent({ ...NO_TIMERS, ...lifetime(maxConnectionAgeMs), connect: connect as never }));
  }

  #open(): Pool {
    return new Pool(this.#origin, { ...NO_TIMERS, connect: this.#options.connect as never });
  }

  #renew(): void {
    const { clock, maxConnectionAgeMs } = this.#options;
    const now = clock.monotonic();
    if (now >= this.#renewAt) {
      const old = this.#pool;
      this.#pool = this.#open();
      void old.close();
    } else if (this.#renewAt !== Infinity) return;
    this.#renewAt = now + maxConnectionAgeMs;
  }

  describe(): string {
    const { connectTimeoutMs, maxConnectionAgeMs } = this.#options;
    const age = maxConnectionAgeMs === Infinity ? '' : `, renewed every ${maxConnectionAgeMs} ms`;
    return `its own connection pool, connecting within ${connectTimeoutMs} ms${age}`;
  }

  stats(): ConnectionStats {
    const { connected, free, pending, running } = this.#pool.stats;
    return { connected, free, pending, running };
  }

  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#others?.close()]);
  }
}

export function poolTransport(origin: string, options: TransportOptions): Transport {
  return new PoolTransport(origin, options);
}

interface ProxyTransportOptions extends Pick<TransportOptions, 'connectTimeoutMs' | 'maxConnectionAgeMs'> {
  readonly tls: object | undefined;
}

/** Through a proxy: `url` is an http, https or socks5 URL, or `env` for what the environment says. */
export function proxyTransport(url: string, options: ProxyTransportOptions): Transport {
  const { tls, connectTimeoutMs, maxConnectionAgeMs } = options;
  const common = { ...NO_TIMERS, ...lifetime(maxConnectionAgeMs), connectTimeout: connectTimeoutMs };
  const secured = { ...common, ...(tls !== undefined && { requestTls: tls, connect: tls }) };
  const dispatcher =
    url === 'env'
      ? new EnvHttpProxyAgent(secured as object)
      : new ProxyAgent({ ...secured, uri: url } as ProxyAgent.Options);
  // Without user and password, which the URL may hold.
  const what = url === 'env' ? 'the proxy that the environment names, if any' : `the proxy ${new URL(url).host}`;
  const close = (): Promise<void> => dispatcher.close();
  return { dispatcher, elsewhere: dispatcher, describe: () => what, stats: () => undefined, close };
}

export function foreignTransport(dispatcher: HttpDispatcher): Transport {
  // These go to one place, whatever origin they are told.
  const fixed = dispatcher instanceof Pool || dispatcher instanceof Client || dispatcher instanceof BalancedPool;
  return {
    dispatcher,
    elsewhere: fixed ? undefined : dispatcher,
    describe: () => 'the dispatcher it was given',
    stats: () => undefined,
    close: () => Promise.resolve(),
  };
}

/** What connects when there is nothing to check. `options` are those of `tls.connect`, and a `timeout`. */
export function makeConnector(options: object): Connect {
  return buildConnector(options) as never;
}

function lifetime(maxConnectionAgeMs: number): { clientTtl?: number } {
  return maxConnectionAgeMs === Infinity ? {} : { clientTtl: maxConnectionAgeMs };
}
