import type { Socket } from 'node:net';
import {
  openConnection,
  type Connect,
  type ConnectTarget,
  type DispatchController,
  type DispatchHandler,
  type DispatchOptions,
  type SingleConnection,
  type RawHeaders,
} from '../dispatcher.ts';
import { patchParser } from './http1-parser-patch.ts';
import { bypassStream } from './socket-reader.ts';
import { failedOnReusedSocket, markReused, unmarkStaleFailure } from './stale-connections.ts';

/** What a connection reports to its pool. */
export interface ConnectionOwner {
  /** The connection can carry another request. */
  release(connection: Connection): void;
  /** The connection is shared and has capacity, for the first time or again. */
  onCapacity(connection: Connection): void;
  /** The connection must not carry another request. */
  retire(connection: Connection): void;
  /** A request found its connection stale: connections that have been idle for longer are stale as well. */
  retireAvailable(): void;
  /** The connection has lost its socket. */
  onDisconnect(connection: Connection, error: Error): void;
  /** `isShared` is known now. Called more than once. */
  onProtocolKnown(connection: Connection): void;
  onConnectFailed(connection: Connection, error: Error): void;
}

/** Where a connection leads, and how it is made. */
export interface ConnectionTarget {
  readonly origin: string;
  readonly connect: Connect;
  /** The limit until a TLS connection takes its first request, in milliseconds. */
  readonly timeoutMs: number;
}

/** One connection. Carries one request at a time over HTTP/1.1, and many over HTTP/2. */
export class Connection {
  /** Whether it carries several requests at a time (HTTP/2); false until it is connected. */
  isShared = false;
  /** Whether it accepts no more requests, and closes when those in flight have ended. */
  isRetired = false;
  readonly #client: SingleConnection;
  readonly #owner: ConnectionOwner;
  readonly #isSecure: boolean;
  readonly #hostname: string;
  /** Reused for every request over HTTP/1.1; for the first one only over HTTP/2. */
  readonly #request: TrackedRequest;
  /** Whether undici has asked for a socket. */
  #hasBegunConnecting = false;
  /** The current socket, or the last one. */
  #socket: Socket | undefined = undefined;
  #closing: Promise<void> | undefined = undefined;

  constructor({ origin, connect, timeoutMs }: ConnectionTarget, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#request = new TrackedRequest(this);
    const { protocol, hostname } = new URL(origin);
    this.#isSecure = protocol === 'https:';
    this.#hostname = hostname;
    const connectAndObserve: Connect = (target, callback) => {
      this.#hasBegunConnecting = true;
      // Without the name that undici has of a request: the name of the TLS options applies, or that of the origin.
      connect({ ...target, servername: undefined } as ConnectTarget, (...result) => {
        const [, socket] = result;
        this.#socket = socket ?? undefined;
        this.isShared = (socket as { alpnProtocol?: unknown } | null)?.alpnProtocol === 'h2';
        callback(...result);
        if (socket !== null && !this.isShared && patchParser(socket)) bypassStream(socket);
      });
    };
    const client = openConnection(origin, connectAndObserve, this.#isSecure ? timeoutMs : 0);
    this.#client = client;
    client.on('disconnect', (_origin, _targets, error) => owner.onDisconnect(this, error));
    client.on('connectionError', (_origin, _targets, error) => owner.onConnectFailed(this, error));
    if (!this.#isSecure) return;
    client.on('connect', () => {
      if (!this.isShared) owner.onProtocolKnown(this);
    });
    // Over HTTP/2, undici emits `drain` only after the server's SETTINGS have said how many streams it accepts.
    client.on('drain', () => {
      if (this.isShared) owner.onCapacity(this);
    });
  }

  get stats(): SingleConnection['stats'] {
    return this.#client.stats;
  }

  send(options: DispatchOptions, receiver: DispatchHandler): void {
    if (!this.#isSecure) {
      this.#client.dispatch(options, this.#request.begin(options, receiver));
      return;
    }
    // The headers timeout of the connection guards against one on which no request can begin. Requests have limits of their
    // own, which the client enforces. undici would derive a server name from the host header, and reconnect for another name
    // once all other requests have ended.
    const ownOptions = { ...options, headersTimeout: 0, servername: this.#hostname };
    const request = this.isShared ? new TrackedRequest(this) : this.#request;
    const hasCapacity = this.#client.dispatch(ownOptions, request.begin(options, receiver));
    if (this.isShared && hasCapacity) this.#owner.release(this);
  }

  /** The error of the socket, if this connection carries one request at a time. */
  get socketError(): Error | null {
    return this.isShared ? null : ((this.#socket as Socket).errored ?? null);
  }

  close(): Promise<void> {
    // Rejects only when the connection was closed before.
    return (this.#closing ??= this.#client.close().catch(() => {}));
  }

  /** The headers of a response have arrived: over HTTP/2, the SETTINGS of the server came before them. */
  onHeaders(): void {
    if (this.isShared) this.#owner.onProtocolKnown(this);
  }

  /**
   * A response has been read to its end.
   *
   * @param hasRequestBody - whether some of the request may still be unsent
   */
  onComplete(hasRequestBody: boolean): void {
    const socket = this.#socket as Socket;
    markReused(socket);
    if (this.isShared) return;
    if (!hasRequestBody || socket.writableLength === 0) this.#owner.release(this);
    // Node.js reports what TLS has sent one turn later; the response may be read before that. No clock is involved.
    // eslint-disable-next-line no-restricted-globals
    else setImmediate(() => this.#releaseIfSent(socket));
  }

  #releaseIfSent(socket: Socket): void {
    // The server has responded before it read the request body. The next request would wait behind the unsent rest, which
    // the server may never read.
    if (socket.writableLength > 0) this.#owner.retire(this);
    else this.#owner.release(this);
  }

  /**
   * A request failed.
   *
   * @param isSent - whether its sending had begun
   * @param isStale - whether it failed because the server had closed the idle connection
   */
  onFailure(error: Error, isSent: boolean, isStale: boolean): void {
    if (!this.#hasBegunConnecting) this.#owner.onConnectFailed(this, error);
    else if (!this.isShared) {
      if (isSent) this.#owner.retire(this);
      else this.#owner.release(this);
    }
    if (isStale) this.#owner.retireAvailable();
  }
}

/** Passes the events of one request on to its receiver, and reports to the connection when the request has ended. */
class TrackedRequest implements DispatchHandler {
  readonly #connection: Connection;
  #receiver: DispatchHandler | undefined = undefined;
  #hasBody = false;
  #isSent = false;
  /** Whether the first byte of a response has arrived. */
  #hasResponse = false;
  #headers: RawHeaders = NO_HEADERS;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  begin({ body }: DispatchOptions, receiver: DispatchHandler): this {
    this.#receiver = receiver;
    this.#hasBody = body !== null && body !== undefined;
    this.#isSent = false;
    this.#hasResponse = false;
    return this;
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    // A receiver that throws here has given up: the request is not sent.
    this.#receiver?.onRequestStart?.(controller, context);
    this.#isSent = true;
  }

  onResponseStarted(): void {
    this.#hasResponse = true;
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders, statusText?: string): void {
    this.#hasResponse = true;
    this.#headers = headers;
    this.#connection.onHeaders();
    this.#receiver?.onResponseStart?.(controller, status, headers as never, statusText);
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.#receiver?.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: DispatchController, trailers: RawHeaders): void {
    // undici reports a reset as the end of a body that extends to the end of the connection. Such a body is truncated.
    const { socketError } = this.#connection;
    if (socketError !== null && endsWithConnection(this.#headers)) return this.onResponseError(controller, socketError);
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#headers = NO_HEADERS;
    this.#connection.onComplete(this.#hasBody);
    receiver?.onResponseEnd?.(controller, trailers as never);
  }

  onResponseError(controller: DispatchController, error: Error): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    this.#receiver = undefined;
    // All requests on a shared connection fail with the same error object, so it cannot be unmarked for one of them.
    if (this.#hasResponse && !this.#connection.isShared) unmarkStaleFailure(error);
    this.#connection.onFailure(error, this.#isSent, !this.#hasResponse && failedOnReusedSocket(error));
    receiver.onResponseError?.(controller, error);
  }
}

const NO_HEADERS: RawHeaders = {};

/** Whether the body has no length and no chunks, and so extends to the end of the connection (RFC 9112, section 6.3). */
function endsWithConnection(headers: RawHeaders): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined;
}
