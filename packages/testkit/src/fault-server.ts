import type { Clock } from '@macadam/core';
import type { ReceivedRequest } from './fault-exchange.ts';
import type { FaultRule } from './fault-script.ts';
import { HttpFaultServer } from './http-fault-server.ts';
import type { FaultResponse } from './wire-response.ts';

/** Options of {@link startFaultServer}. */
export interface FaultServerOptions {
  /** Returns the healthy response. Default: 200 with a JSON echo of method, path, headers and body. */
  handle?: (request: ReceivedRequest) => FaultResponse | Promise<FaultResponse>;
  /** Which faults apply when, tried in order. Default: none. */
  faults?: readonly FaultRule[];
  /** The seed that decides which requests a `share` selects and how long a `latency` is; a safe integer. Default: 1. */
  seed?: number;
  /** The address to listen on. Default: 127.0.0.1. */
  host?: string;
  /** The port to listen on, 0 to 65 535. Default: 0, a free one. */
  port?: number;
  /** How many of the last requests are kept in `requests`, at least 0. Default: 10 000. */
  maxRecorded?: number;
  /** How much of a request body is kept, in bytes, at least 0. Default: 1 048 576 (1 MiB). */
  maxBodyBytes?: number;
  /**
   * The clock for latencies, `trickle()` and time windows; sockets are real. With a virtual clock a test can hold a response back and
   * release it. Default: `systemClock`.
   */
  clock?: Clock;
}

/** Statistics of a fault server: counts since it was started, and its current state. */
export interface FaultServerStats {
  /** Requests received. */
  readonly requests: number;
  /** Requests answered completely. */
  readonly answered: number;
  /** Requests ended by a fault. */
  readonly cut: number;
  /** Requests whose client disconnected first. */
  readonly abandoned: number;
  /** Connections accepted. */
  readonly connections: number;
  /** Connections open now. */
  readonly openConnections: number;
  /** How often each fault was applied, by its `kind`. */
  readonly faults: Readonly<Record<string, number>>;
}

/** A real HTTP/1.1 server on loopback that fails on demand. */
export interface FaultServer extends AsyncDisposable {
  /** The address it listens on. */
  readonly host: string;
  /** The port it listens on. */
  readonly port: number;
  /** The origin of the server, such as `http://127.0.0.1:41234`. */
  readonly origin: string;
  /** The same as `origin`, for use as a base URL. */
  readonly url: string;
  /** The last requests, oldest first; at most `maxRecorded`. */
  readonly requests: readonly ReceivedRequest[];
  /** Replaces all rules; time windows and request numbers count from now. Resolves when the rules are in effect. */
  setFaults(faults: readonly FaultRule[]): Promise<void>;
  /** Resolves when `count` requests have arrived since the start; rejects if the server is closed first. */
  waitForRequests(count: number): Promise<void>;
  /** Resolves when `condition` returns true. It is called whenever a connection or a request begins or ends. */
  waitUntil(condition: (stats: FaultServerStats) => boolean): Promise<void>;
  /** Counts since the server was started, and its current state. */
  stats(): FaultServerStats;
  /** Describes the rules in words. */
  describe(): string;
  /** Resets all connections and stops listening. May be called more than once. */
  close(): Promise<void>;
}

/**
 * Starts an HTTP/1.1 server on real sockets that fails on demand.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option, and the error of the system if it cannot listen on the port.
 * @example
 * const upstream = await startFaultServer({ faults: [{ fault: respond(503, { retryAfter: 1 }), share: 0.12 }] });
 * const response = await fetch(upstream.url);
 * await upstream.close();
 */
export async function startFaultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  const server = new HttpFaultServer(options);
  await server.start(options.port);
  return server;
}
