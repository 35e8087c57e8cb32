import {
  assertClock,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertText,
  OptionsError,
  systemClock,
  withheld,
  type Clock,
} from '@macadam/core';
import type { Socket } from 'node:net';
import { FaultListener } from './fault-listener.ts';
import { describeConditions, toLinkConditions, type LinkConditions, type ProxyConditions } from './proxy-conditions.ts';
import { ProxyConnection, type ProxyTarget } from './proxy-connection.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';
import { Waiters } from './waiters.ts';

/** Options of {@link startFaultProxy}. */
export interface FaultProxyOptions {
  /** Where connections are forwarded to: a URL such as `redis://127.0.0.1:6379`, or host and port. */
  target: string | URL | { host: string; port: number };
  /** The initial conditions. Default: healthy. */
  conditions?: ProxyConditions;
  /** The seed of random latencies; a safe integer. Default: 1. */
  seed?: number;
  /** The address to listen on. Default: 127.0.0.1. */
  host?: string;
  /** The port to listen on, 0 to 65 535. Default: 0, a free one. */
  port?: number;
  /** The clock for latency and bandwidth; sockets are real. Default: `systemClock`. */
  clock?: Clock;
}

/** Statistics of a fault proxy: counts since it was started, and its current state. */
export interface FaultProxyStats {
  /** Connections accepted. */
  readonly connections: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** Bytes forwarded to the target. */
  readonly bytesToTarget: number;
  /** Bytes forwarded to clients. */
  readonly bytesToClient: number;
  /** Bytes received and not yet forwarded, because of latency, bandwidth or a black hole. */
  readonly bytesUnderWay: number;
  /** Bytes sent by clients on half-open connections and dropped. */
  readonly bytesSwallowed: number;
}

/** A real TCP proxy on loopback, between the code under test and what it depends on. */
export interface FaultProxy extends AsyncDisposable {
  /** The address it listens on. */
  readonly host: string;
  /** The port it listens on. */
  readonly port: number;
  /** The URL of the target with host and port of the proxy; `tcp://host:port` if the target was not given as a URL. */
  readonly url: string;
  /** Replaces the conditions of open and new connections. Resolves when they are in effect. */
  set(conditions: ProxyConditions): Promise<void>;
  /** Restores healthy conditions, as `set({})`. A half-open connection stays dead and is reset when the client sends on it. */
  heal(): Promise<void>;
  /** Resets all open connections (TCP RST), once. */
  resetConnections(): void;
  /** Resolves when `condition` returns true. It is called whenever bytes arrive or pass, or a connection begins or ends. */
  waitUntil(condition: (stats: FaultProxyStats) => boolean): Promise<void>;
  /** Counts since the proxy was started, and its current state. */
  stats(): FaultProxyStats;
  /** Describes target and conditions in words. */
  describe(): string;
  /** Resets all connections and stops listening. May be called more than once. */
  close(): Promise<void>;
}

/**
 * Starts a TCP proxy that adds latency, limits bandwidth or breaks connections on demand, between a client and a real server.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option, and the error of the system if it cannot listen on the port.
 * @example
 * const proxy = await startFaultProxy({ target: 'redis://127.0.0.1:6379' });
 * await proxy.set({ latency: fixed(20) });
 * await proxy.set({ link: 'blackHole' });
 * await proxy.heal();
 */
export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const proxy = new TcpFaultProxy(options);
  await proxy.start(options.port);
  return proxy;
}

const DEFAULT_PORTS: Record<string, number> = {
  'redis:': 6_379,
  'valkey:': 6_379,
  'http:': 80,
  'https:': 443,
  'postgres:': 5_432,
  'postgresql:': 5_432,
  'mongodb:': 27_017,
};

class TcpFaultProxy implements FaultProxy {
  readonly host: string;
  readonly #target: ProxyTarget;
  readonly #targetUrl: URL;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #listener: FaultListener;
  readonly #connections: Set<ProxyConnection> = new Set();
  readonly #waiters: Waiters<FaultProxyStats> = new Waiters(() => this.stats());
  readonly #counts = { connections: 0, bytesToTarget: 0, bytesToClient: 0, bytesUnderWay: 0, bytesSwallowed: 0 };
  #conditions: LinkConditions;
  #closed = false;

  constructor(options: FaultProxyOptions) {
    assertObject('startFaultProxy', options);
    assertKnownOptions('startFaultProxy', options, ['target', 'conditions', 'seed', 'host', 'port', 'clock']);
    const { conditions = {}, seed = 1, host = '127.0.0.1', clock = systemClock } = options;
    assertClock('startFaultProxy.clock', clock);
    assertText('startFaultProxy.host', host);
    this.host = host;
    this.#targetUrl = toUrl(options.target);
    this.#target = toTarget(this.#targetUrl);
    this.#clock = clock;
    this.#random = seededRandom(seed);
    this.#conditions = toLinkConditions('startFaultProxy.conditions', conditions);
    this.#listener = new FaultListener(
      host,
      (socket) => this.#accept(socket),
      () => this.#waiters.notify(),
    );
  }

  get port(): number {
    return this.#listener.port;
  }

  get url(): string {
    const url = new URL(this.#targetUrl);
    url.hostname = this.host.includes(':') ? `[${this.host}]` : this.host;
    url.port = String(this.port);
    // No trailing slash, as in the URL of a fault server, so that a path such as `/token` can be appended.
    return url.pathname === '/' && url.search === '' ? url.href.replace(/\/$/, '') : url.href;
  }

  async start(port = 0): Promise<void> {
    assertInteger('startFaultProxy.port', port, { min: 0, max: 65_535 });
    await this.#listener.open(port);
    if (this.#conditions.link === 'refuse') await this.#listener.setListening(false);
  }

  async set(conditions: ProxyConditions): Promise<void> {
    this.#conditions = toLinkConditions('set', conditions);
    for (const connection of this.#connections) connection.apply(this.#conditions);
    if (!this.#closed) await this.#listener.setListening(this.#conditions.link !== 'refuse');
  }

  heal(): Promise<void> {
    return this.set({});
  }

  resetConnections(): void {
    for (const connection of this.#connections) connection.reset();
  }

  waitUntil(condition: (stats: FaultProxyStats) => boolean): Promise<void> {
    return this.#closed ? Promise.reject(closedError()) : this.#waiters.until(condition);
  }

  stats(): FaultProxyStats {
    return { ...this.#counts, openConnections: this.#connections.size };
  }

  describe(): string {
    const { host, port } = this.#target;
    return `TCP proxy on ${this.host}:${this.port} to ${host}:${port}: ${describeConditions(this.#conditions)}`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.resetConnections();
    await this.#listener.setListening(false);
    this.#waiters.rejectAll(closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    this.#counts.connections++;
    const connection: ProxyConnection = new ProxyConnection(socket, this.#conditions, {
      clock: this.#clock,
      random: this.#random.fork(`connection ${this.#counts.connections}`),
      target: this.#target,
      onCount: (name, change) => {
        this.#counts[name] += change;
        this.#waiters.notify();
      },
      onClose: () => {
        this.#connections.delete(connection);
        this.#waiters.notify();
      },
    });
    this.#connections.add(connection);
    this.#waiters.notify();
  }
}

const ALLOWED_TARGET = 'a URL with scheme, host and port, such as redis://127.0.0.1:6379, or { host, port }';

function toUrl(target: FaultProxyOptions['target']): URL {
  if (target instanceof URL) return target;
  const text = typeof target === 'object' && target !== null ? addressUrl(target) : target;
  if (typeof text === 'string' && URL.canParse(text)) return new URL(text);
  throw new OptionsError('startFaultProxy.target', withheld(target), ALLOWED_TARGET);
}

function addressUrl({ host, port }: { host: string; port: number }): string {
  assertText('startFaultProxy.target.host', host);
  assertInteger('startFaultProxy.target.port', port, { min: 1, max: 65_535 });
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function toTarget(url: URL): ProxyTarget {
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  if (url.hostname === '' || port === undefined) {
    throw new OptionsError('startFaultProxy.target', withheld(url.href), ALLOWED_TARGET);
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

function closedError(): Error {
  return new Error('The fault proxy was closed.');
}
