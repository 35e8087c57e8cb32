import type { Socket } from 'node:net';
import { Agent, BalancedPool, buildConnector, Client, Pool, type Dispatcher } from 'undici';

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
  /** @param now - the clock's reading, which decides whether older connections are still good */
  dispatcher(now: number): HttpDispatcher;
  /** For other origins, where a redirect may lead; undefined when there is no way to them. */
  readonly elsewhere: HttpDispatcher | undefined;
  describe(): string;
  stats(): ConnectionStats | undefined;
  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void>;
}

/** The time limits of a try are the client's, so the transport keeps no timers of its own. */
const NO_TIMERS = { headersTimeout: 0, bodyTimeout: 0 };

/** Connections to one origin. */
export interface Connections extends HttpDispatcher {
  readonly stats: ConnectionStats;
  close(): Promise<void>;
}

/** One connection, or what will be one; it makes another when it has lost its socket. */
export type OneConnection = Pick<Client, 'dispatch' | 'close' | 'stats' | 'on'>;

/** As many connections as it takes, of HTTP/2 too, where one carries many requests. */
export function openPool(origin: string, connect: Connect): Connections {
  return new Pool(origin, { ...NO_TIMERS, connect: connect as never });
}

/** A connection of HTTP/1.1, which carries one request at a time. */
export function openConnection(origin: string, connect: Connect): OneConnection {
  return new Client(origin, { ...NO_TIMERS, connect: connect as never });
}

/** As many connections as it takes, to as many origins. */
export function openAgent(connect: Connect, maxConnectionAgeMs: number): HttpDispatcher & Pick<Agent, 'close'> {
  return new Agent({ ...NO_TIMERS, ...lifetime(maxConnectionAgeMs), connect: connect as never });
}

/** The caller's own, of which nothing is known but that it dispatches. */
export class ForeignTransport implements Transport {
  readonly #dispatcher: HttpDispatcher;

  constructor(dispatcher: HttpDispatcher) {
    this.#dispatcher = dispatcher;
  }

  dispatcher(): HttpDispatcher {
    return this.#dispatcher;
  }

  get elsewhere(): HttpDispatcher | undefined {
    // These go to one place, whatever origin they are told.
    return [Pool, Client, BalancedPool].some((kind) => this.#dispatcher instanceof kind) ? undefined : this.#dispatcher;
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
