import { MacadamError } from '@macadam/core';
import type {
  Connections,
  ConnectionStats,
  DispatchController,
  DispatchHandler,
  DispatchOptions,
  OneConnection,
  RawHeaders,
} from '../dispatcher.ts';
import { wasReused } from './reused-sockets.ts';

/**
 * Connections of HTTP/1.1 to one origin, each of which carries one request at a time. The one that became free last is
 * taken first: what a peak has opened rests until it is closed.
 *
 * A connection is free as soon as its answer has been read. undici's `Pool` learns of it a turn of the event loop later,
 * keeps two connections for a caller who sends one request after the other, and looks through all of them for a free one.
 */
export class ConnectionPool implements Connections {
  readonly #make: () => OneConnection;
  readonly #all = new Set<Connection>();
  readonly #free: Connection[] = [];
  #closing: Promise<void> | undefined;

  constructor(make: () => OneConnection) {
    this.#make = make;
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    if (this.#closing === undefined) (this.#free.pop() ?? this.#open()).send(options, receiver);
    else receiver.onResponseError?.(null as never, new MacadamError('The pool is closed', { code: 'MAC_CLOSED' }));
    return true;
  }

  get stats(): ConnectionStats {
    const sum = { connected: 0, free: 0, pending: 0, running: 0 };
    for (const { stats } of this.#all) {
      if (stats.connected) sum.connected++;
      if (stats.connected && stats.size === 0) sum.free++;
      sum.pending += stats.pending;
      sum.running += stats.running;
    }
    return sum;
  }

  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void> {
    this.#free.length = 0;
    return (this.#closing ??= Promise.all(Array.from(this.#all, (one) => one.close())).then(() => {}));
  }

  /** Takes back what may carry another request. */
  release(connection: Connection): void {
    if (this.#closing === undefined) this.#free.push(connection);
  }

  /** Lets go of what has lost its socket, or is about to. */
  retire(connection: Connection): void {
    this.#all.delete(connection);
    void connection.close();
  }

  /** Lets go of all that rest. */
  retireFree(): void {
    for (const one of this.#free.splice(0)) this.retire(one);
  }

  /** The socket of `connection` is gone. While it is in use it may get another. */
  rests(connection: Connection): void {
    const at = this.#free.indexOf(connection);
    if (at < 0) return;
    this.#free.splice(at, 1);
    this.retire(connection);
  }

  #open(): Connection {
    const connection = new Connection(this.#make(), this);
    this.#all.add(connection);
    return connection;
  }
}

/** One of them. It listens to the transport for whoever uses it, since it is to know when he is done. */
class Connection implements DispatchHandler {
  readonly #client: OneConnection;
  readonly #pool: ConnectionPool;
  #receiver: DispatchHandler | undefined = undefined;
  #sent = false;
  #answered = false;

  constructor(client: OneConnection, pool: ConnectionPool) {
    this.#client = client;
    this.#pool = pool;
    client.on('disconnect', () => pool.rests(this));
  }

  get stats(): OneConnection['stats'] {
    return this.#client.stats;
  }

  send(options: DispatchOptions, receiver: DispatchHandler): void {
    this.#receiver = receiver;
    this.#sent = false;
    this.#answered = false;
    this.#client.dispatch(options, this);
  }

  close(): Promise<void> {
    // Its only failure is that it was closed before.
    return this.#client.close().catch(() => {});
  }

  onRequestStart(controller: DispatchController, context: unknown): void {
    // Who throws does not want it to be sent any more.
    this.#receiver?.onRequestStart?.(controller, context);
    this.#sent = true;
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders, statusText?: string): void {
    this.#answered = true;
    this.#receiver?.onResponseStart?.(controller, status, headers as never, statusText);
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.#receiver?.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: DispatchController, trailers: RawHeaders): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.#pool.release(this);
    receiver?.onResponseEnd?.(controller, trailers as never);
  }

  onResponseError(controller: DispatchController, error: Error): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    this.#receiver = undefined;
    // What had begun to be sent takes its socket along.
    if (this.#sent) this.#pool.retire(this);
    else this.#pool.release(this);
    // The others have rested for longer than one that had gone stale: what is sent once more would be lost on them too.
    if (!this.#answered && wasReused(error)) this.#pool.retireFree();
    receiver.onResponseError?.(controller, error);
  }
}
