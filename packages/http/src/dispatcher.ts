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

/** The transport underneath: an undici `Agent`, `Pool`, `ProxyAgent`, `MockAgent`, …, or what can do the same. */
export type HttpDispatcher = Pick<Dispatcher, 'dispatch'>;
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
  /** What `connect` leads through; it may hold a password. */
  readonly proxy: string | false;
  readonly connectTimeoutMs: number;
  readonly maxConnectionAgeMs: number;
  /** Knows when names have to be asked for again; without it connections only grow old. */
  readonly names: NameWatch | undefined;
  readonly clock: Clock;
}

/** Watches where names lead. */
export interface NameWatch {
  isDue(hostname: string): boolean;
  /** Asks anew, and tells whether the name has left one of its addresses. Never rejects. */
  hasMoved(hostname: string): Promise<boolean>;
}

/** The time limits of a try are the client's, so the transport keeps no timers of its own. */
const NO_TIMERS = { headersTimeout: 0, bodyTimeout: 0 };

/**
 * A pool for one origin. After `maxConnectionAgeMs` a new pool takes over, which resolves the name anew; the old one
 * closes when what is in flight on it has ended.
 */
class PoolTransport implements Transport {
  readonly #origin: string;
  readonly #hostname: string;
  readonly #options: TransportOptions;
  #pool: Pool;
  #renewAt = Infinity;
  #others: Agent | undefined;
  #closed = false;

  constructor(origin: string, options: TransportOptions) {
    this.#origin = origin;
    this.#hostname = new URL(origin).hostname;
    this.#options = options;
    this.#pool = this.#open();
  }

  get dispatcher(): HttpDispatcher {
    if (this.#options.maxConnectionAgeMs !== Infinity) this.#renew();
    if (this.#options.names?.isDue(this.#hostname) === true) void this.#follow(this.#options.names);
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
    if (now >= this.#renewAt) this.#replace();
    else if (this.#renewAt !== Infinity) return;
    this.#renewAt = now + maxConnectionAgeMs;
  }

  async #follow(names: NameWatch): Promise<void> {
    const moved = await names.hasMoved(this.#hostname);
    if (moved && !this.#closed) this.#replace();
  }

  #replace(): void {
    const old = this.#pool;
    this.#pool = this.#open();
    void old.close();
  }

  describe(): string {
    const { connectTimeoutMs, maxConnectionAgeMs, names, proxy } = this.#options;
    const via = proxy === false ? '' : ` through tunnels of the proxy ${new URL(proxy).host}`;
    const age = maxConnectionAgeMs === Infinity ? '' : `, renewed every ${maxConnectionAgeMs} ms`;
    const move = names === undefined ? '' : ', and when the name has moved';
    return `its own connection pool${via}, connecting within ${connectTimeoutMs} ms${age}${move}`;
  }

  stats(): ConnectionStats {
    const { connected, free, pending, running } = this.#pool.stats;
    return { connected, free, pending, running };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#pool.close(), this.#others?.close()]);
  }
}

export function poolTransport(origin: string, options: TransportOptions): Transport {
  return new PoolTransport(origin, options);
}

interface ProxyTransportOptions extends Pick<TransportOptions, 'connectTimeoutMs' | 'maxConnectionAgeMs'> {
  /** What encrypts, or where to get it. As long as that is the same object, connections stay. */
  readonly tls: object | (() => object) | undefined;
}

/** Through a proxy, which makes its connections itself: other TLS options need another one. */
class ProxyTransport implements Transport {
  readonly #url: string;
  readonly #options: ProxyTransportOptions;
  #tls: object | undefined;
  #proxy: Dispatcher | undefined;

  constructor(url: string, options: ProxyTransportOptions) {
    this.#url = url;
    this.#options = options;
    if (typeof options.tls !== 'function') this.#proxy = this.#open(options.tls);
  }

  get dispatcher(): HttpDispatcher {
    const { tls } = this.#options;
    if (typeof tls === 'function') this.#renew(tls());
    return this.#proxy as HttpDispatcher;
  }

  get elsewhere(): HttpDispatcher {
    return this.dispatcher;
  }

  #renew(tls: object): void {
    if (this.#proxy !== undefined && tls === this.#tls) return;
    const old = this.#proxy;
    this.#proxy = this.#open(tls);
    this.#tls = tls;
    void old?.close();
  }

  #open(tls: object | undefined): Dispatcher {
    const { connectTimeoutMs, maxConnectionAgeMs } = this.#options;
    const common = { ...NO_TIMERS, ...lifetime(maxConnectionAgeMs), connectTimeout: connectTimeoutMs };
    const secured = { ...common, ...(tls !== undefined && { requestTls: tls, connect: tls }) };
    return this.#url === 'env'
      ? new EnvHttpProxyAgent(secured as object)
      : new ProxyAgent({ ...secured, uri: this.#url } as ProxyAgent.Options);
  }

  describe(): string {
    // Without user and password, which the URL may hold.
    if (this.#url === 'env') return 'the proxy that the environment names, if any';
    return `the proxy ${new URL(this.#url).host}`;
  }

  stats(): undefined {
    return undefined;
  }

  async close(): Promise<void> {
    await this.#proxy?.close();
  }
}

/** Through a proxy: `url` is an http, https or socks5 URL, or `env` for what the environment says. */
export function proxyTransport(url: string, options: ProxyTransportOptions): Transport {
  return new ProxyTransport(url, options);
}

/** The caller's own, of which nothing is known but that it dispatches. */
export class ForeignTransport implements Transport {
  readonly dispatcher: HttpDispatcher;

  constructor(dispatcher: HttpDispatcher) {
    this.dispatcher = dispatcher;
  }

  get elsewhere(): HttpDispatcher | undefined {
    // These go to one place, whatever origin they are told.
    return [Pool, Client, BalancedPool].some((kind) => this.dispatcher instanceof kind) ? undefined : this.dispatcher;
  }

  describe(): string {
    return 'the dispatcher it was given';
  }

  stats(): undefined {
    return undefined;
  }

  async close(): Promise<void> {}
}

/** What connects when there is nothing to check. `options` are those of `tls.connect`, and a `timeout`. */
export function makeConnector(options: object): Connect {
  return buildConnector(options) as never;
}

function lifetime(maxConnectionAgeMs: number): { clientTtl?: number } {
  return maxConnectionAgeMs === Infinity ? {} : { clientTtl: maxConnectionAgeMs };
}
