import type { Clock } from '@macadam/core';
import type { FaultAnswer, ReceivedRequest } from './fault-exchange.ts';
import type { FaultRule } from './fault-script.ts';
import { HttpFaultServer } from './http-fault-server.ts';

/** Options of {@link startFaultServer}. */
export interface FaultServerOptions {
  /** The healthy answer. Default: 200 and a JSON echo of method, path, headers and body. */
  handle?: (request: ReceivedRequest) => FaultAnswer | Promise<FaultAnswer>;
  /** When which faults strike; see {@link FaultRule}. Rules are tried in order. Default: none. */
  faults?: readonly FaultRule[];
  /** Decides whom a `share` strikes and how long a `latency` is. A safe integer. Default: 1. */
  seed?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /** Default: 0, a free one. */
  port?: number;
  /** How many of the last requests are kept in `requests`. Default: 10_000. */
  maxRecorded?: number;
  /** How much of a request's body is kept, in bytes. Default: 1_048_576. */
  maxBodyBytes?: number;
  /**
   * Times the latencies, the trickling and the time windows; sockets stay real. Default: the system's clock. With a
   * virtual one a test can hold an answer back and release it by hand.
   */
  clock?: Clock;
}

/** What a fault server saw since it was started, and what is open now. */
export interface FaultServerStats {
  requests: number;
  answered: number;
  /** Ended by a fault. */
  cut: number;
  /** The client went away first. */
  abandoned: number;
  /** Connections accepted. */
  connections: number;
  openConnections: number;
  /** How often each kind of fault was applied. */
  faults: Record<string, number>;
}

/** A real HTTP/1.1 server on loopback that fails on demand. */
export interface FaultServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Such as `http://127.0.0.1:41234`. */
  readonly origin: string;
  /** The same: what a client takes as its base URL. */
  readonly url: string;
  /** The last requests, oldest first; at most `maxRecorded`. */
  readonly requests: readonly ReceivedRequest[];
  /** Replaces all rules. Their time windows and request numbers count from now. Resolves when a listener has followed. */
  setFaults(faults: readonly FaultRule[]): Promise<void>;
  /** Resolves when so many requests have arrived since the start; rejects when the server is closed first. */
  waitForRequests(count: number): Promise<void>;
  /** Resolves when the condition holds; looked at whenever a connection or a request begins or ends. */
  waitUntil(condition: (stats: FaultServerStats) => boolean): Promise<void>;
  stats(): FaultServerStats;
  /** The rules, in words. */
  describe(): string;
  /** Resets every connection and stops listening. Always settles; may be called twice. */
  close(): Promise<void>;
}

/**
 * Starts a {@link FaultServer}.
 *
 * @throws OptionsError `MAC_INVALID_OPTIONS`, and the system's error when the port cannot be had.
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
