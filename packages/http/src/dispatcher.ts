import type { Socket } from 'node:net';
import { BalancedPool, buildConnector, Client, Pool, type Dispatcher } from 'undici';

/** A transport to send through: an undici `Agent`, `Pool`, `ProxyAgent`, `MockAgent`, or anything with the same `dispatch`. */
export type HttpDispatcher = Pick<Dispatcher, 'dispatch'>;
export type DispatchOptions = Dispatcher.DispatchOptions;
export type DispatchController = Dispatcher.DispatchController;
export type DispatchHandler = Dispatcher.DispatchHandler;
/** Who waits for an answer. */
export interface Receiver extends DispatchHandler {
  /** Whether nobody waits any more; a request that has not been begun need not be. Default: false. */
  readonly settled?: boolean;
}
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

/** The state of a connection pool. */
export interface ConnectionStats {
  /** Open connections. */
  readonly connected: number;
  /** Open connections without a request. */
  readonly free: number;
  /** Requests that wait for a connection. */
  readonly pending: number;
  /** Requests in flight on a connection. */
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

/** One connection, or what will be one; it makes another when it has lost its socket and still has requests. */
export type OneConnection = Pick<Client, 'dispatch' | 'close' | 'stats' | 'on'>;

/**
 * @param beginWithinMs - after which a server of HTTP/2 that lets no request begin is left; 0 for never. The transport has no
 *   other limit for it, and waits without end; requests that have none of their own are given it for their headers, too
 */
export function openConnection(origin: string, connect: Connect, beginWithinMs: number): OneConnection {
  return new Client(origin, { ...NO_TIMERS, headersTimeout: Math.ceil(beginWithinMs), connect: connect as never });
}

/** The caller's own, of which nothing is known but that it dispatches. */
export class ExternalTransport implements Transport {
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

/**
 * Ends a request that nobody waits for. The transport fails others with the reason for it, those that were on a connection of
 * HTTP/2 which has just been lost: unless that has this code, for what is no failure of a connection. Whoever else listens to
 * the transport is told the reason all the same.
 */
export function abortRequest(controller: DispatchController, reason: Error): void {
  controller.abort(Object.assign(new Error(reason.message, { cause: reason }), { code: 'UND_ERR_INFO' }));
}

/** What connects when there is nothing to check. `options` are those of `tls.connect`. */
export function makeConnector(options: object): (...to: Parameters<Connect>) => Socket {
  // Its own limit is late by up to a second.
  return buildConnector({ ...options, timeout: 0 }) as never;
}
