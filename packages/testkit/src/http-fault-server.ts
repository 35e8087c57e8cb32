import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import {
  assertClock,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertText,
  systemClock,
  type Clock,
  type Timer,
} from '@macadam/core';
import { HttpExchange, type OpenRequest, type ReceivedRequest } from './fault-exchange.ts';
import { FaultListener } from './fault-listener.ts';
import { FaultScript, type FaultRule } from './fault-script.ts';
import type { FaultServer, FaultServerOptions, FaultServerStats } from './fault-server.ts';
import { readBody } from './request-body.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';
import { Waiters } from './waiters.ts';
import type { FaultResponse } from './wire-response.ts';

const OPTION_NAMES: readonly (keyof FaultServerOptions)[] = [
  'handle',
  'faults',
  'seed',
  'host',
  'port',
  'maxRecorded',
  'maxBodyBytes',
  'clock',
];

/** Implements {@link FaultServer}: a TCP listener that passes its sockets to Node's HTTP server, unless a fault applies first. */
export class HttpFaultServer implements FaultServer {
  readonly host: string;
  readonly requests: ReceivedRequest[] = [];
  readonly #handle: (request: ReceivedRequest) => FaultResponse | Promise<FaultResponse>;
  readonly #clock: Clock;
  readonly #maxRecorded: number;
  readonly #maxBodyBytes: number;
  readonly #random: SeededRandom;
  readonly #exchangeRandom: SeededRandom;
  readonly #http: Server;
  readonly #listener: FaultListener;
  readonly #waiters: Waiters<FaultServerStats> = new Waiters(() => this.stats());
  readonly #connections: WeakMap<Socket, { readonly number: number; requests: number }> = new WeakMap();
  readonly #unreadSockets: Set<Socket> = new Set();
  readonly #counts = { requests: 0, answered: 0, cut: 0, abandoned: 0, connections: 0 };
  readonly #faultCounts: Record<string, number> = {};
  readonly #startedAtMs: number;
  #script: FaultScript;
  #scriptsSet = 0;
  #scriptSetAtMs: number;
  #requestsBeforeScript = 0;
  #listenerTimer: Timer | undefined;
  #closed = false;

  constructor(options: FaultServerOptions) {
    assertObject('startFaultServer', options);
    assertKnownOptions('startFaultServer', options, OPTION_NAMES);
    const { handle = echo, faults = [], seed = 1, host = '127.0.0.1' } = options;
    const { maxRecorded = 10_000, maxBodyBytes = 1_048_576, clock = systemClock } = options;
    assertClock('startFaultServer.clock', clock);
    assertFunction('startFaultServer.handle', handle);
    assertText('startFaultServer.host', host);
    assertInteger('startFaultServer.maxRecorded', maxRecorded, { min: 0 });
    assertInteger('startFaultServer.maxBodyBytes', maxBodyBytes, { min: 0 });
    this.host = host;
    this.#handle = handle;
    this.#clock = clock;
    this.#maxRecorded = maxRecorded;
    this.#maxBodyBytes = maxBodyBytes;
    this.#random = seededRandom(seed);
    this.#exchangeRandom = this.#random.fork('latency');
    this.#script = new FaultScript('startFaultServer.faults', faults, this.#random);
    this.#startedAtMs = clock.monotonic();
    this.#scriptSetAtMs = this.#startedAtMs;
    // Node's own time limits are off, so that only the faults decide when a connection ends.
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
      void this.#handleRequest(request, response);
    });
    this.#listener = new FaultListener(
      host,
      (socket) => this.#accept(socket),
      () => this.#waiters.notify(),
    );
  }

  get port(): number {
    return this.#listener.port;
  }

  get origin(): string {
    return `http://${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  get url(): string {
    return this.origin;
  }

  async start(port = 0): Promise<void> {
    assertInteger('startFaultServer.port', port, { min: 0, max: 65_535 });
    await this.#listener.open(port);
    await this.#updateListening();
  }

  async setFaults(faults: readonly FaultRule[]): Promise<void> {
    const random = this.#random.fork(`rules ${++this.#scriptsSet}`);
    this.#script = new FaultScript('setFaults', faults, random);
    this.#scriptSetAtMs = this.#clock.monotonic();
    this.#requestsBeforeScript = this.#counts.requests;
    // Bytes sent to a black hole are still in the kernel. They are read now, if the new rules allow it.
    const unread = [...this.#unreadSockets];
    this.#unreadSockets.clear();
    for (const socket of unread) this.#serveUnlessFaulted(socket);
    await this.#updateListening();
  }

  waitForRequests(count: number): Promise<void> {
    assertInteger('waitForRequests.count', count, { min: 0 });
    return this.waitUntil(({ requests }) => requests >= count);
  }

  waitUntil(condition: (stats: FaultServerStats) => boolean): Promise<void> {
    return this.#closed ? Promise.reject(closedError()) : this.#waiters.until(condition);
  }

  stats(): FaultServerStats {
    return { ...this.#counts, openConnections: this.#listener.sockets.size, faults: { ...this.#faultCounts } };
  }

  describe(): string {
    return `HTTP server on ${this.origin}: ${this.#script.describe()}`;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#listenerTimer?.cancel();
    await this.#listener.setListening(false);
    this.#waiters.rejectAll(closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    this.#connections.set(socket, { number: ++this.#counts.connections, requests: 0 });
    this.#serveUnlessFaulted(socket);
    this.#waiters.notify();
  }

  #serveUnlessFaulted(socket: Socket): void {
    const count = this.#counts.requests - this.#requestsBeforeScript + 1;
    const fault = this.#script.forConnection(count, this.#elapsedMs());
    if (fault === undefined) {
      this.#http.emit('connection', socket);
      return;
    }
    this.#unreadSockets.add(socket);
    socket.once('close', () => this.#unreadSockets.delete(socket));
    this.#countFault(fault.kind);
  }

  async #handleRequest(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await this.#recordRequest(message);
    if (request === undefined) return;
    const connection = this.#connections.get(message.socket)!;
    const reused = connection.requests++ > 0;
    const exchange = new HttpExchange(request, response, reused, {
      clock: this.#clock,
      random: this.#exchangeRandom,
      handle: this.#handle,
    });
    response.once('close', () => {
      if (request.outcome !== 'open') this.#counts[request.outcome]++;
      this.#waiters.notify();
    });
    try {
      const faults = this.#script.forRequest(request, request.number - this.#requestsBeforeScript, this.#elapsedMs());
      this.#waiters.notify();
      for (const fault of faults) {
        if (fault.appliesTo?.(exchange) === false) continue;
        request.faults.push(fault.kind);
        this.#countFault(fault.kind);
        if ((await fault.apply(exchange)) === 'ended') return;
      }
      await exchange.send(await exchange.answer());
    } catch (error) {
      // When the client disconnects, pending waits of faults reject. That is no error.
      if (!exchange.signal.aborted) await exchange.fail('a fault rule', error);
    }
  }

  /** Reads and records the whole request; undefined if the client disconnected before its end. */
  async #recordRequest(message: IncomingMessage): Promise<OpenRequest | undefined> {
    const body = await readBody(message, this.#maxBodyBytes).catch(() => undefined);
    if (body === undefined) return undefined;
    const request: OpenRequest = {
      number: ++this.#counts.requests,
      method: message.method ?? '',
      path: message.url ?? '',
      headers: message.headers,
      bodyText: body.text,
      bodyBytes: body.bytes,
      atMs: this.#clock.monotonic() - this.#startedAtMs,
      connection: this.#connections.get(message.socket)?.number ?? 0,
      faults: [],
      outcome: 'open',
    };
    this.requests.push(request);
    if (this.requests.length > this.#maxRecorded) this.requests.shift();
    return request;
  }

  #elapsedMs(): number {
    // Negative if a test installs fake timers in the meantime: their clock starts earlier than the real one.
    return Math.max(0, this.#clock.monotonic() - this.#scriptSetAtMs);
  }

  #countFault(kind: string): void {
    this.#faultCounts[kind] = (this.#faultCounts[kind] ?? 0) + 1;
    this.#waiters.notify();
  }

  /** Starts or stops listening as the rules require now, and sets a timer for their next change. */
  async #updateListening(): Promise<void> {
    this.#listenerTimer?.cancel();
    if (this.#closed) return;
    const elapsedMs = this.#elapsedMs();
    const refuses = this.#script.refusesAt(elapsedMs);
    if (refuses && this.#listener.listening) this.#countFault('refuse');
    const nextMs = this.#script.nextChangeMs(elapsedMs);
    if (nextMs < Infinity) {
      this.#listenerTimer = this.#clock.setTimer(() => void this.#updateListening(), nextMs - elapsedMs);
      this.#listenerTimer.unref?.();
    }
    await this.#listener.setListening(!refuses);
  }
}

function echo(request: ReceivedRequest): FaultResponse {
  const { method, path, headers, bodyText } = request;
  return { json: { method, path, headers, body: bodyText } };
}

function closedError(): Error {
  return new Error('The fault server was closed.');
}
