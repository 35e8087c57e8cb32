import { validateHeaderName, validateHeaderValue, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  assertInteger,
  assertKnownOptions,
  assertObject,
  type Clock,
  OptionsError,
  type Random,
  withheld,
} from '@macadam/core';
import { resetSocket } from './reset-socket.ts';

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

/** A response as `handle` returns it, with at most one of `json`, `text` and `body`. */
export interface FaultResponse {
  /** The status, 200 to 999. Default: 200. */
  status?: number;
  /** The response headers by name, in any case. Default: those that the body needs. */
  headers?: Record<string, string | string[]>;
  /** A value to send as JSON. */
  json?: unknown;
  /** Text to send as UTF-8. */
  text?: string;
  /** Bytes to send as they are. Default: an empty body. */
  body?: Uint8Array;
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

/** A response as it is sent. */
export interface WireResponse {
  /** The status. */
  readonly status: number;
  /** The response headers, by lower-case name. */
  readonly headers: Record<string, string | string[]>;
  /** The body. */
  readonly body: Uint8Array;
}

/**
 * Fills in what `handle` left open.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for what cannot be sent: it would be an answer that is not HTTP.
 */
export function toWireAnswer(answer: FaultResponse, path = 'handle()'): WireResponse {
  assertObject(path, answer);
  assertKnownOptions(path, answer, ['status', 'headers', 'json', 'text', 'body']);
  const { status = 200, json, text, body } = answer;
  assertInteger(`${path}.status`, status, { min: 200, max: 999 });
  if ([json, text, body].filter((one) => one !== undefined).length > 1) {
    throw new OptionsError(path, answer, 'an answer with one of json, text and body at most');
  }
  const headers = toWireHeaders(`${path}.headers`, answer.headers ?? {});
  if (text !== undefined && typeof text !== 'string') throw new OptionsError(`${path}.text`, text, 'a string');
  if (body !== undefined && !(body instanceof Uint8Array)) {
    throw new OptionsError(`${path}.body`, body, 'a Uint8Array; a string is given as text, and a value as json');
  }
  if (json !== undefined) {
    return {
      status,
      headers: { 'content-type': 'application/json', ...headers },
      body: Buffer.from(JSON.stringify(json)),
    };
  }
  if (text !== undefined) {
    return { status, headers: { 'content-type': 'text/plain; charset=utf-8', ...headers }, body: Buffer.from(text) };
  }
  return { status, headers, body: body ?? new Uint8Array() };
}

/** By their names in lower case, so that one that was given stands in the place of the server's own. */
function toWireHeaders(path: string, headers: Record<string, string | string[]>): Record<string, string | string[]> {
  assertObject(path, headers);
  const named: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      for (const one of Array.isArray(value) ? value : [value]) validateHeaderValue(name, one);
    } catch {
      throw new OptionsError(`${path}.${name}`, withheld(value), 'a name and a value that HTTP can carry');
    }
    named[name.toLowerCase()] = value;
  }
  return named;
}

/** The record of a request while the server still works on it. */
export type OpenRequest = { -readonly [K in keyof ReceivedRequest]: ReceivedRequest[K] } & { faults: string[] };

function failed(what: string, error: unknown): WireResponse {
  return toWireAnswer({ status: 500, text: `${what} failed: ${String(error)}` });
}

/**
 * How long a client gets to read before its connection is broken, in real time. Bytes and an RST that arrive together
 * look like an orderly end to libuv before Node 24, which would make a broken answer a complete one.
 */
const READ_FIRST_MS = 5;
/** As it is before a test fakes it: what a client has read is a matter of real time. */
const { setTimeout } = globalThis;

/** The one implementation of {@link FaultExchange}. */
export class HttpExchange implements FaultExchange {
  readonly request: OpenRequest;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly random: Random;
  readonly reusedConnection: boolean;
  readonly #clock: Clock;
  readonly #gone = new AbortController();
  readonly #handle: (request: ReceivedRequest) => FaultResponse | Promise<FaultResponse>;
  #answer: Promise<WireResponse> | undefined;

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
      this.#gone.abort();
    });
  }

  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  answer(): Promise<WireResponse> {
    this.#answer ??= Promise.resolve(this.request)
      .then(this.#handle)
      .then((answer) => toWireAnswer(answer))
      .catch((error: unknown) => failed('handle', error));
    return this.#answer;
  }

  send({ status, headers, body }: WireResponse): Promise<void> {
    this.response.writeHead(status, { 'content-length': String(body.byteLength), ...headers });
    return new Promise((resolve) => {
      this.response.once('close', resolve);
      this.response.end(body);
    });
  }

  sleep(ms: number): Promise<void> {
    return this.#clock.sleep(ms, this.signal);
  }

  flush(): Promise<void> {
    return new Promise((resolve) => this.socket.write('', () => setTimeout(resolve, READ_FIRST_MS)));
  }

  /** Says that something in the test itself has failed: as an answer, or by ending the one that was begun. */
  async fail(what: string, error: unknown): Promise<void> {
    if (!this.response.headersSent) return this.send(failed(what, error));
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
