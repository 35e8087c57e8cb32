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

/** One request as the fault server received it. */
export interface ReceivedRequest {
  /** From 1, over the whole life of the server. */
  readonly number: number;
  readonly method: string;
  /** Path and query as sent. */
  readonly path: string;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** The body, decoded as UTF-8; cut at the server's `maxBodyBytes`. */
  readonly bodyText: string;
  /** How many bytes of body arrived, cut or not. */
  readonly bodyBytes: number;
  /** Milliseconds from the start of the server to the end of the request. */
  readonly atMs: number;
  /** Which connection it came on, from 1: two requests with the same number shared it. */
  readonly connection: number;
  /** The kinds of the faults that were applied, in order. */
  readonly faults: readonly string[];
  /**
   * `open`: not answered yet; `answered`: the answer was sent whole; `cut`: a fault ended it; `abandoned`: the client
   * went away first.
   */
  readonly outcome: 'open' | 'answered' | 'cut' | 'abandoned';
}

/** An answer as `handle` gives it. At most one of `json`, `text` and `body`. */
export interface FaultAnswer {
  /** From 200 to 999. Default: 200. */
  status?: number;
  /** Names in any case. */
  headers?: Record<string, string | string[]>;
  json?: unknown;
  text?: string;
  body?: Uint8Array;
}

/** What a {@link Fault} works with: one request, its connection, and the healthy answer. */
export interface FaultExchange {
  readonly request: ReceivedRequest;
  readonly response: ServerResponse;
  readonly socket: Socket;
  readonly random: Random;
  /** Whether an earlier request came on this connection. */
  readonly reusedConnection: boolean;
  /** Aborted once the connection is gone. */
  readonly signal: AbortSignal;
  /** The healthy answer, computed once. */
  answer(): Promise<WireAnswer>;
  /** Sends the answer whole. */
  send(answer: WireAnswer): Promise<void>;
  /** Waits on the clock of the server; rejects when the connection is gone. */
  sleep(ms: number): Promise<void>;
  /** Resolves when everything that was written has been sent, and the client has had a moment to read it. */
  flush(): Promise<void>;
  /** Ends the connection with a TCP RST. */
  reset(): void;
  /** Ends the connection in good order (FIN), whatever the response still lacks. */
  close(): void;
}

/** An answer as it goes on the wire. */
export interface WireAnswer {
  readonly status: number;
  readonly headers: Record<string, string | string[]>;
  readonly body: Uint8Array;
}

/**
 * Fills in what `handle` left open.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for what cannot be sent: it would be an answer that is not HTTP.
 */
export function toWireAnswer(answer: FaultAnswer, path = 'handle()'): WireAnswer {
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

function failed(what: string, error: unknown): WireAnswer {
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
  readonly #handle: (request: ReceivedRequest) => FaultAnswer | Promise<FaultAnswer>;
  #answer: Promise<WireAnswer> | undefined;

  constructor(
    request: OpenRequest,
    response: ServerResponse,
    reusedConnection: boolean,
    tools: { clock: Clock; random: Random; handle: (request: ReceivedRequest) => FaultAnswer | Promise<FaultAnswer> },
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

  answer(): Promise<WireAnswer> {
    this.#answer ??= Promise.resolve(this.request)
      .then(this.#handle)
      .then((answer) => toWireAnswer(answer))
      .catch((error: unknown) => failed('handle', error));
    return this.#answer;
  }

  send({ status, headers, body }: WireAnswer): Promise<void> {
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
