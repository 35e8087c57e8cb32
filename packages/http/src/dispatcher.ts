import { Agent, BalancedPool, Client, Pool, type Dispatcher } from 'undici';

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
  /** For other origins, where a redirect may lead; undefined when there is no way to them. */
  readonly elsewhere: HttpDispatcher | undefined;
  describe(): string;
  stats(): ConnectionStats | undefined;
  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void>;
}

/** A pool for one origin. The time limits of a try are the client's, so the transport keeps no timers of its own. */
export function poolTransport(origin: string, connectTimeoutMs: number): Transport {
  const options = { connectTimeout: connectTimeoutMs, headersTimeout: 0, bodyTimeout: 0 };
  const pool = new Pool(origin, options);
  let others: Agent | undefined;
  return {
    dispatcher: pool,
    get elsewhere(): HttpDispatcher {
      return (others ??= new Agent(options));
    },
    describe: () => `its own connection pool, connecting within ${connectTimeoutMs} ms`,
    stats: () => {
      const { connected, free, pending, running } = pool.stats;
      return { connected, free, pending, running };
    },
    close: async () => {
      await Promise.all([pool.close(), others?.close()]);
    },
  };
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
