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
  /** Where connections go: a URL such as `redis://127.0.0.1:6379`, or host and port. */
  target: string | URL | { host: string; port: number };
  /** The conditions to begin with. Default: healthy. */
  conditions?: ProxyConditions;
  /** Decides how long a latency is. A safe integer. Default: 1. */
  seed?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Default: 0, a free one. */
  port?: number;
  /** Times latency and bandwidth; sockets stay real. Default: the system's clock. */
  clock?: Clock;
}

/** What passed through a proxy since it was started, and what is open now. */
export interface FaultProxyStats {
  /** Connections accepted. */
  connections: number;
  openConnections: number;
  bytesToTarget: number;
  bytesToClient: number;
  /** Arrived, and not yet handed over: held back by latency, bandwidth or a black hole. */
  bytesUnderWay: number;
  /** Sent by clients whose target is gone without their knowing. */
  bytesSwallowed: number;
}

/** A real TCP proxy on loopback, between the code under test and what it depends on. */
export interface FaultProxy extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** The target's URL with the proxy's host and port; `tcp://host:port` when the target was not a URL. */
  readonly url: string;
  /** Replaces the conditions, for open and new connections alike. Resolves when the listener has followed. */
  set(conditions: ProxyConditions): Promise<void>;
  /** `set({})`. A connection that was half-open stays dead: it is reset when the client sends on it. */
  heal(): Promise<void>;
  /** Ends every open connection with a TCP RST, once. */
  resetConnections(): void;
  /** Resolves when the condition holds; looked at whenever bytes arrive or pass, or a connection begins or ends. */
  waitUntil(condition: (stats: FaultProxyStats) => boolean): Promise<void>;
  stats(): FaultProxyStats;
  /** Target and conditions, in words. */
  describe(): string;
  /** Resets every connection and stops listening. Always settles; may be called twice. */
  close(): Promise<void>;
}

/**
 * Starts a {@link FaultProxy}.
 *
 * @throws OptionsError `MAC_INVALID_OPTIONS`, and the system's error when the port cannot be had.
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
    return url.href;
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
    this.#waiters.fail(closedError());
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

const TARGET = 'a URL with scheme, host and port, such as redis://127.0.0.1:6379, or { host, port }';

function toUrl(target: FaultProxyOptions['target']): URL {
  if (target instanceof URL) return target;
  const text = typeof target === 'object' && target !== null ? addressUrl(target) : target;
  if (typeof text === 'string' && URL.canParse(text)) return new URL(text);
  throw new OptionsError('startFaultProxy.target', target, TARGET);
}

function addressUrl({ host, port }: { host: string; port: number }): string {
  assertText('startFaultProxy.target.host', host);
  assertInteger('startFaultProxy.target.port', port, { min: 1, max: 65_535 });
  return `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function toTarget(url: URL): ProxyTarget {
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : Number(url.port);
  if (url.hostname === '' || port === undefined) {
    throw new OptionsError('startFaultProxy.target', withheld(url.href), TARGET);
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

function closedError(): Error {
  return new Error('The fault proxy was closed.');
}
