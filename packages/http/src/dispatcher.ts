import { Pool, type Dispatcher } from 'undici';

/** The transport underneath: an undici `Agent`, `Pool`, `ProxyAgent`, `MockAgent`, … */
export type HttpDispatcher = Dispatcher;
export type DispatchOptions = Dispatcher.DispatchOptions;
export type DispatchController = Dispatcher.DispatchController;
export type DispatchHandler = Dispatcher.DispatchHandler;
/** Header values by lower-case name, as undici parses them. */
export type RawHeaders = Readonly<Record<string, string | string[] | undefined>>;

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
  describe(): string;
  stats(): ConnectionStats | undefined;
  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void>;
}

/** A pool for one origin. The time limits of a try are the client's, so the transport keeps no timers of its own. */
export function poolTransport(origin: string, connectTimeoutMs: number): Transport {
  const pool = new Pool(origin, { connectTimeout: connectTimeoutMs, headersTimeout: 0, bodyTimeout: 0 });
  return {
    dispatcher: pool,
    describe: () => `its own connection pool, connecting within ${connectTimeoutMs} ms`,
    stats: () => {
      const { connected, free, pending, running } = pool.stats;
      return { connected, free, pending, running };
    },
    close: () => pool.close(),
  };
}

export function foreignTransport(dispatcher: HttpDispatcher): Transport {
  return {
    dispatcher,
    describe: () => 'the dispatcher it was given',
    stats: () => undefined,
    close: () => Promise.resolve(),
  };
}
