import type { Socket } from 'node:net';
import {
  openConnection,
  type Connect,
  type DispatchController,
  type DispatchHandler,
  type DispatchOptions,
  type OneConnection,
  type RawHeaders,
} from '../dispatcher.ts';
import { mendParser } from './http1-parser.ts';
import { noteAnswering, noteServed, wasReused } from './reused-sockets.ts';

/** What a connection tells its pool. */
export interface ConnectionOwner {
  /** It can carry another request. */
  release(connection: Connection): void;
  /** It is shared, and has room again, or for the first time. */
  hasRoom(connection: Connection): void;
  /** A request failed on it and took its socket along. */
  retire(connection: Connection): void;
  /** A request found that it had gone stale: what rested for longer has, too. */
  retireFree(): void;
  /** Its socket is gone. */
  lost(connection: Connection, error: Error): void;
  /** It is known how many requests it carries. Told more than once. */
  settled(connection: Connection): void;
  /** It could not be made. */
  notMade(connection: Connection, error: Error): void;
}

/** Where a connection leads, and what it is made with. */
export interface ConnectionTarget {
  readonly origin: string;
  readonly connect: Connect;
  /** In milliseconds, until a connection over TLS takes its first request. */
  readonly timeoutMs: number;
}

/** One connection, which carries a request at a time, or many when it turns out to be of HTTP/2. */
export class Connection {
  /** Whether it carries many requests at a time; false until it is connected. */
  isShared = false;
  /** Whether it takes no more requests, and is closed when those it has are done. */
  isRetired = false;
  readonly #client: OneConnection;
  readonly #owner: ConnectionOwner;
  readonly #isSecure: boolean;
  /** Of the one request it carries, or the first one. */
  readonly #use: Use;
  /** Whether the transport was ever asked for a socket. */
  #isBegun = false;
  /** The one it has, or had last. */
  #socket: Socket | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor({ origin, connect, timeoutMs }: ConnectionTarget, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#use = new Use(this);
    this.#isSecure = origin.startsWith('https:');
    const noting: Connect = (target, callback) => {
      this.#isBegun = true;
      connect(target, (...result) => {
        const [, socket] = result;
        this.#socket = socket ?? undefined;
        this.isShared = (socket as { alpnProtocol?: unknown } | null)?.alpnProtocol === 'h2';
        callback(...result);
        if (socket !== null && !this.isShared) mendParser(socket);
      });
    };
    const client = openConnection(origin, noting, this.#isSecure ? timeoutMs : 0);
    this.#client = client;
    client.on('disconnect', (_origin, _targets, error) => owner.lost(this, error));
    if (!this.#isSecure) return;
    client.on('connectionError', (_origin, _targets, error) => owner.notMade(this, error));
    client.on('connect', () => {
      if (!this.isShared) owner.settled(this);
    });
    // Only when the other side has said how many requests it takes.
    client.on('drain', () => {
      if (this.isShared) owner.hasRoom(this);
    });
  }

  get stats(): OneConnection['stats'] {
    return this.#client.stats;
  }

  send(options: DispatchOptions, receiver: DispatchHandler): void {
    if (!this.#isSecure) {
      this.#client.dispatch(options, this.#use.begin(receiver));
      return;
    }
    // The limit of the connection is for one that nobody may use: a request has its own, which are not the transport's.
    const unlimited = { ...options, headersTimeout: 0 };
    const use = this.isShared ? new Use(this) : this.#use;
    const hasRoom = this.#client.dispatch(unlimited, use.begin(receiver));
    if (this.isShared && hasRoom) this.#owner.release(this);
  }

  /** What its socket has failed with, when that carries a request at a time. */
  get resetWith(): Error | null {
    return this.isShared ? null : ((this.#socket as Socket).errored ?? null);
  }

  close(): Promise<void> {
    // Its only failure is that it was closed before.
    return (this.#closing ??= this.#client.close().catch(() => {}));
  }

  /** An answer has begun: the other side has said before how many requests it takes. */
  answered(): void {
    if (this.isShared) this.#owner.settled(this);
  }

  /** An answer has been read. */
  done(): void {
    const socket = this.#socket as Socket;
    noteServed(socket);
    if (this.isShared) return;
    // Answered before its body had been sent: whatever comes next would wait behind the rest of that, which nobody may read.
    if (socket.writableLength > 0) this.#owner.retire(this);
    else this.#owner.release(this);
  }

  /**
   * A request failed.
   *
   * @param sent - whether it had begun to be sent
   * @param stale - whether it did since the socket had been closed at rest
   */
  failed(error: Error, sent: boolean, stale: boolean): void {
    if (!this.#isBegun) this.#owner.notMade(this, error);
    else if (!this.isShared) {
      if (sent) this.#owner.retire(this);
      else this.#owner.release(this);
    }
    if (stale) this.#owner.retireFree();
  }
}

/** One request on a connection, which is to know when it is done. */
class Use implements DispatchHandler {
  readonly #connection: Connection;
  #receiver: DispatchHandler | undefined = undefined;
  #sent = false;
  /** Whether there was any sign of an answer. */
  #answered = false;
  #headers: RawHeaders = NO_HEADERS;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  begin(receiver: DispatchHandler): this {
    this.#receiver = receiver;
    this.#sent = false;
    this.#answered = false;
    return this;
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    // Who throws does not want it to be sent any more.
    this.#receiver?.onRequestStart?.(controller, context);
    this.#sent = true;
  }

  onResponseStarted(): void {
    this.#answered = true;
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders, statusText?: string): void {
    this.#answered = true;
    this.#headers = headers;
    this.#connection.answered();
    this.#receiver?.onResponseStart?.(controller, status, headers as never, statusText);
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.#receiver?.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: DispatchController, trailers: RawHeaders): void {
    const reset = this.#connection.resetWith;
    if (reset !== null && endsWithConnection(this.#headers)) return this.onResponseError(controller, reset);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#headers = NO_HEADERS;
    this.#connection.done();
    receiver?.onResponseEnd?.(controller, trailers as never);
  }

  onResponseError(controller: DispatchController, error: Error): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    this.#receiver = undefined;
    // Requests that share a connection fail with the same error.
    if (this.#answered && !this.#connection.isShared) noteAnswering(error);
    this.#connection.failed(error, this.#sent, !this.#answered && wasReused(error));
    receiver.onResponseError?.(controller, error);
  }
}

const NO_HEADERS: RawHeaders = {};

/** Whether an answer goes on until its connection is closed: reset, it is not whole, although the transport says so. */
function endsWithConnection(headers: RawHeaders): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}
