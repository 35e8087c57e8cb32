/** The transport as the rest of the package sees it. The only file that imports undici. */
import type { Socket } from 'node:net';
import { BalancedPool, buildConnector, Client, Pool, type Dispatcher } from 'undici';

/** A transport to send through: an undici `Agent`, `Pool`, `ProxyAgent`, `MockAgent`, or anything with the same `dispatch`. */
export type HttpDispatcher = Pick<Dispatcher, 'dispatch'>;
export type DispatchOptions = Dispatcher.DispatchOptions;
export type DispatchController = Dispatcher.DispatchController;
export type DispatchHandler = Dispatcher.DispatchHandler;
/** Receives the events of one request. */
export interface Receiver extends DispatchHandler {
  /** Whether the request has been given up; if it has not been sent yet, it need not be. Default: false. */
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

/** Like {@link Connect}; returns the socket while it is still connecting. */
export type MakeConnection = (...to: Parameters<Connect>) => Socket;

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

/** Sends requests: through connection pools, or through the dispatcher of the caller, which the caller closes. */
export interface Transport {
  /**
   * For requests to its origin.
   *
   * @param now - the current time of the clock, which decides whether connections are replaced by age
   */
  dispatcher(now: number): HttpDispatcher;
  /** For requests to other origins, after a redirect; undefined when it can only reach its own. */
  readonly crossOrigin: HttpDispatcher | undefined;
  describe(): string;
  stats(): ConnectionStats | undefined;
  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void>;
}

/** The client enforces the time limits of an attempt, so undici needs no timers. */
const NO_TIMERS = { headersTimeout: 0, bodyTimeout: 0 };

/** Connections to one origin. */
export interface Connections extends HttpDispatcher {
  readonly stats: ConnectionStats;
  close(): Promise<void>;
}

/** At most one connection at a time. It reconnects when it has lost its socket and still has requests. */
export type SingleConnection = Pick<Client, 'dispatch' | 'close' | 'stats' | 'on'>;

/**
 * @param firstRequestTimeoutMs - the limit until an HTTP/2 server accepts the first stream; 0 for none. undici has only the
 *   headers timeout for this, which therefore also applies to requests that set none of their own
 */
export function openConnection(origin: string, connect: Connect, firstRequestTimeoutMs: number): SingleConnection {
  return new Client(origin, {
    ...NO_TIMERS,
    headersTimeout: Math.ceil(firstRequestTimeoutMs),
    connect: connect as never,
  });
}

/** The dispatcher of the caller. */
export class ExternalTransport implements Transport {
  readonly #dispatcher: HttpDispatcher;

  constructor(dispatcher: HttpDispatcher) {
    this.#dispatcher = dispatcher;
  }

  dispatcher(): HttpDispatcher {
    return this.#dispatcher;
  }

  get crossOrigin(): HttpDispatcher | undefined {
    // These send every request to their own upstream, whatever its origin.
    return [Pool, Client, BalancedPool].some((kind) => this.#dispatcher instanceof kind) ? undefined : this.#dispatcher;
  }

  describe(): string {
    return 'the given dispatcher';
  }

  stats(): undefined {
    return undefined;
  }

  async close(): Promise<void> {}
}

/**
 * Aborts a request that was given up. Over an HTTP/2 connection that has just been lost, undici would fail the other requests
 * with this reason too, unless the error has this code, which undici has for what is no failure of a connection. Subscribers to
 * undici's diagnostics channels still see the message of the reason.
 */
export function abortRequest(controller: DispatchController, reason: Error): void {
  controller.abort(Object.assign(new Error(reason.message, { cause: reason }), { code: 'UND_ERR_INFO' }));
}

/** @param options - those of `tls.connect`, with `lookup` */
export function makeConnector(options: object): MakeConnection {
  // undici's own connect timeout may fire up to a second late; the connector here has its own.
  return buildConnector({ ...options, timeout: 0 }) as never;
}
