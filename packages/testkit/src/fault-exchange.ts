import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Random } from '@macadam/core';
import { resetSocket } from './reset-socket.ts';
import {
  failureResponse,
  lengthHeader,
  toWireResponse,
  type FaultResponse,
  type WireResponse,
} from './wire-response.ts';

/** A request received by a fault server. */
export interface ReceivedRequest {
  /** The number of the request since the server was started, from 1. */
  readonly number: number;
  /** The request method. */
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  /** The request headers, by lower-case name. */
  readonly headers: IncomingHttpHeaders;
  /** The body decoded as UTF-8, cut at `maxBodyBytes` of the server. */
  readonly bodyText: string;
  /** The size of the body received, in bytes. */
  readonly bodyBytes: number;
  /** When the request was complete, in milliseconds after the start of the server. */
  readonly atMs: number;
  /** The number of its connection, from 1. */
  readonly connection: number;
  /** The `kind` of each fault applied, in order. */
  readonly faults: readonly string[];
  /**
   * `open`: not answered yet; `answered`: the response was sent completely; `cut`: a fault ended it; `abandoned`: the client
   * disconnected first.
   */
  readonly outcome: 'open' | 'answered' | 'cut' | 'abandoned';
}

/** What a {@link Fault} works on: a request, its connection and its healthy response. */
export interface FaultExchange {
  /** The request. */
  readonly request: ReceivedRequest;
  /** The response object of Node.js, for faults that write to it directly. */
  readonly response: ServerResponse;
  /** The socket of the connection. */
  readonly socket: Socket;
  /** The source of randomness of the rule. */
  readonly random: Random;
  /** Whether the connection has already served a request. */
  readonly reusedConnection: boolean;
  /** Aborts when the connection is closed. */
  readonly signal: AbortSignal;
  /** Returns the healthy response, computed once. */
  answer(): Promise<WireResponse>;
  /** Sends a response completely. */
  send(response: WireResponse): Promise<void>;
  /** Waits for `ms` milliseconds on the clock of the server; rejects if the connection is closed first. */
  sleep(ms: number): Promise<void>;
  /** Resolves when everything written has been sent, and the client has had a moment to read it. */
  flush(): Promise<void>;
  /** Resets the connection (TCP RST). */
  reset(): void;
  /** Closes the connection (TCP FIN), even if the response is incomplete. */
  close(): void;
}

/** The record of a request while the server still works on it. */
export type OpenRequest = { -readonly [K in keyof ReceivedRequest]: ReceivedRequest[K] } & { faults: string[] };

/**
 * How long a client gets to read before its connection is broken, in real time. Before Node 24, libuv reports bytes and an
 * RST that arrive together as an orderly end, so that the broken response would count as complete.
 */
const CLIENT_READ_MS = 5;
/** The real `setTimeout`, taken before a test can fake it: clients read in real time. */
const { setTimeout } = globalThis;

/** Implements {@link FaultExchange} on Node's HTTP server. */
export class HttpExchange implements FaultExchange {
  readonly request: OpenRequest;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly random: Random;
  readonly reusedConnection: boolean;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  readonly #handle: (request: ReceivedRequest) => FaultResponse | Promise<FaultResponse>;
  #healthyResponse: Promise<WireResponse> | undefined;

  constructor(
    request: OpenRequest,
    response: ServerResponse,
    reusedConnection: boolean,
    tools: {
      clock: Clock;
      random: Random;
      handle: (request: ReceivedRequest) => FaultResponse | Promise<FaultResponse>;
    },
  ) {
    this.request = request;
    this.response = response;
    this.socket = response.req.socket;
    this.reusedConnection = reusedConnection;
    this.random = tools.random;
    this.#clock = tools.clock;
    this.#handle = tools.handle;
    response.once('close', () => {
      if (request.outcome === 'open') request.outcome = response.writableFinished ? 'answered' : 'abandoned';
      this.#closed.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  answer(): Promise<WireResponse> {
    this.#healthyResponse ??= Promise.resolve(this.request)
      .then(this.#handle)
      .then((response) => toWireResponse(response))
      .catch((error: unknown) => failureResponse('handle', error));
    return this.#healthyResponse;
  }

  send(response: WireResponse): Promise<void> {
    const { status, headers, body } = response;
    this.response.writeHead(status, { ...lengthHeader(response), ...headers });
    return new Promise((resolve) => {
      this.response.once('close', resolve);
      this.response.end(body);
    });
  }

  sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.signal);
  }

  flush(): Promise<void> {
    return new Promise((resolve) => this.socket.write('', () => setTimeout(resolve, CLIENT_READ_MS)));
  }

  /** Reports an error of the test's own code: with status 500, or by breaking off a response that has begun. */
  async fail(what: string, error: unknown): Promise<void> {
    if (!this.response.headersSent) return this.send(failureResponse(what, error));
    this.request.outcome = 'cut';
    this.response.destroy();
  }

  reset(): void {
    if (this.request.outcome === 'open') this.request.outcome = 'cut';
    resetSocket(this.socket);
  }

  close(): void {
    if (this.request.outcome === 'open') this.request.outcome = 'cut';
    this.socket.end(() => this.socket.destroy());
  }
}
