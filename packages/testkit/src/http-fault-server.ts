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
import { HttpExchange, type FaultResponse, type OpenRequest, type ReceivedRequest } from './fault-exchange.ts';
import { FaultListener } from './fault-listener.ts';
import { FaultScript, type FaultRule } from './fault-script.ts';
import type { FaultServer, FaultServerOptions, FaultServerStats } from './fault-server.ts';
import { readBody } from './request-body.ts';
import { seededRandom, type SeededRandom } from './seeded-random.ts';
import { Waiters } from './waiters.ts';

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

/** The one implementation of {@link FaultServer}: a TCP listener that hands its sockets to Node's HTTP parser. */
export class HttpFaultServer implements FaultServer {
  readonly host: string;
  readonly requests: ReceivedRequest[] = [];
  readonly #handle: (request: ReceivedRequest) => FaultResponse | Promise<FaultResponse>;
  readonly #clock: Clock;
  readonly #maxRecorded: number;
  readonly #maxBodyBytes: number;
  readonly #random: SeededRandom;
  readonly #latencies: SeededRandom;
  readonly #http: Server;
  readonly #listener: FaultListener;
  readonly #waiters: Waiters<FaultServerStats> = new Waiters(() => this.stats());
  readonly #connections: WeakMap<Socket, { readonly number: number; requests: number }> = new WeakMap();
  readonly #unread: Set<Socket> = new Set();
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
    this.#latencies = this.#random.fork('latency');
    this.#script = new FaultScript('startFaultServer.faults', faults, this.#random);
    this.#startedAtMs = clock.monotonic();
    this.#scriptSetAtMs = this.#startedAtMs;
    // Every limit of its own is off: when a connection ends is the script's decision alone.
    this.#http = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
      void this.#receive(request, response);
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
    await this.#followScript();
  }

  async setFaults(faults: readonly FaultRule[]): Promise<void> {
    const random = this.#random.fork(`rules ${++this.#scriptsSet}`);
    this.#script = new FaultScript('setFaults', faults, random);
    this.#scriptSetAtMs = this.#clock.monotonic();
    this.#requestsBeforeScript = this.#counts.requests;
    // What a black hole swallowed is still in the kernel, and read once the hole is gone.
    const unread = [...this.#unread];
    this.#unread.clear();
    for (const socket of unread) this.#read(socket);
    await this.#followScript();
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
    this.#waiters.fail(closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #accept(socket: Socket): void {
    this.#connections.set(socket, { number: ++this.#counts.connections, requests: 0 });
    this.#read(socket);
    this.#waiters.notify();
  }

  #read(socket: Socket): void {
    const count = this.#counts.requests - this.#requestsBeforeScript + 1;
    const fault = this.#script.forConnection(count, this.#elapsedMs());
    if (fault === undefined) {
      this.#http.emit('connection', socket);
      return;
    }
    this.#unread.add(socket);
    socket.once('close', () => this.#unread.delete(socket));
    this.#countFault(fault.kind);
  }

  async #receive(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const request = await this.#record(message);
    if (request === undefined) return;
    const connection = this.#connections.get(message.socket)!;
    const reused = connection.requests++ > 0;
    const exchange = new HttpExchange(request, response, reused, {
      clock: this.#clock,
      random: this.#latencies,
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
      // The client hanging up ends every wait in here; that is its right.
      if (!exchange.signal.aborted) await exchange.fail('a rule of the faults', error);
    }
  }

  /** Reads the whole request; undefined when the client went away half-way. */
  async #record(message: IncomingMessage): Promise<OpenRequest | undefined> {
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
    // A test that fakes timers sets the clock of the machine back to where its own begins.
    return Math.max(0, this.#clock.monotonic() - this.#scriptSetAtMs);
  }

  #countFault(kind: string): void {
    this.#faultCounts[kind] = (this.#faultCounts[kind] ?? 0) + 1;
    this.#waiters.notify();
  }

  /** Listens or refuses as the script says for this moment, and again at the next change. */
  async #followScript(): Promise<void> {
    this.#listenerTimer?.cancel();
    if (this.#closed) return;
    const elapsedMs = this.#elapsedMs();
    const refuses = this.#script.refusesAt(elapsedMs);
    if (refuses && this.#listener.listening) this.#countFault('refuse');
    const nextMs = this.#script.nextChangeMs(elapsedMs);
    if (nextMs < Infinity) {
      this.#listenerTimer = this.#clock.setTimer(() => void this.#followScript(), nextMs - elapsedMs);
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
