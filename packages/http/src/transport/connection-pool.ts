import { AsyncLocalStorage } from 'node:async_hooks';
import { ClosedError } from '@macadam/core';
import type { Connections, ConnectionStats, DispatchOptions, Receiver } from '../dispatcher.ts';
import { Connection, type ConnectionOwner, type ConnectionTarget } from './connection.ts';

/** A request that waits until it is known whether a connection that is being made carries more than one. */
interface Waiting {
  readonly receiver: Receiver;
  /** In the asynchronous context it came with: what listens to the transport goes by that. */
  readonly send: () => void;
}

/**
 * Connections to one origin. The one that became free last is taken first: what a peak has opened rests until it is closed.
 *
 * One of HTTP/1.1 carries a request at a time, and is free as soon as its answer has been read. undici's `Pool` learns of it a
 * turn of the event loop later, keeps two connections for a caller who sends one request after the other, and looks through
 * all of them for a free one. One of HTTP/2 carries as many as the transport says it has room for. Which it is is only known
 * when TLS has been agreed on, so until then the others wait for the one that is being made.
 */
export class ConnectionPool implements Connections, ConnectionOwner {
  readonly #target: ConnectionTarget;
  readonly #all = new Set<Connection>();
  readonly #free: Connection[] = [];
  /** Whether the next connection may carry more than one request. */
  #mayShare: boolean;
  #negotiating: Connection | undefined;
  readonly #waiting: Waiting[] = [];
  #closing: Promise<void> | undefined;
  #onNoneWaiting: (() => void) | undefined;

  constructor(target: ConnectionTarget) {
    this.#target = target;
    this.#mayShare = target.origin.startsWith('https:');
  }

  dispatch(options: DispatchOptions, receiver: Receiver): boolean {
    if (this.#closing === undefined) this.#send(options, receiver);
    else receiver.onResponseError?.(null as never, new ClosedError('The pool'));
    return true;
  }

  get stats(): ConnectionStats {
    const sum = { connected: 0, free: 0, pending: this.#waiting.length, running: 0 };
    for (const { stats } of this.#all) {
      if (stats.connected) sum.connected++;
      sum.pending += stats.pending;
      sum.running += stats.running;
    }
    for (const { stats } of this.#free) if (stats.connected) sum.free++;
    return sum;
  }

  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void> {
    return (this.#closing ??= this.#end());
  }

  release(connection: Connection): void {
    if (connection.isRetired) return;
    // One that is shared says so also when it has had room all along.
    if (connection.isShared && this.#free.includes(connection)) return;
    this.#free.push(connection);
  }

  hasRoom(connection: Connection): void {
    this.release(connection);
    if (this.#waiting.length > 0) this.#sendWaiting();
    this.settled(connection);
  }

  retire(connection: Connection): void {
    connection.isRetired = true;
    void connection.close().then(() => this.#all.delete(connection));
  }

  retireFree(): void {
    for (const one of this.#free.splice(0)) this.retire(one);
  }

  lost(connection: Connection, error: Error): void {
    // While it is in use it may get another socket, unless that would be one more of HTTP/2.
    if (this.#withdraw(connection) || connection.isShared) this.retire(connection);
    if (connection === this.#negotiating) this.#failWaiting(error);
  }

  settled(connection: Connection): void {
    this.#mayShare = connection.isShared;
    if (connection !== this.#negotiating) return;
    this.#negotiating = undefined;
    this.#sendWaiting();
  }

  notMade(connection: Connection, error: Error): void {
    this.#withdraw(connection);
    this.retire(connection);
    if (connection === this.#negotiating) this.#failWaiting(error);
  }

  #send(options: DispatchOptions, receiver: Receiver): void {
    const connection = this.#free.pop() ?? this.#open();
    if (connection !== undefined) {
      connection.send(options, receiver);
      return;
    }
    const scope = AsyncLocalStorage.snapshot();
    this.#waiting.push({ receiver, send: () => scope(() => this.#send(options, receiver)) });
  }

  /** As many as there is room for, or another connection may be made for; each once, however many wait. */
  #sendWaiting(): void {
    while (this.#waiting.length > 0 && (this.#free.length > 0 || this.#negotiating === undefined)) {
      const next = this.#waiting.shift() as Waiting;
      // A connection of its own would be made for nobody.
      if (next.receiver.settled !== true) next.send();
    }
    if (this.#waiting.length === 0) this.#onNoneWaiting?.();
  }

  /** What one could not be connected for, the others could not either, and none of them has time to find out in turn. */
  #failWaiting(error: Error): void {
    this.#negotiating = undefined;
    for (const { receiver } of this.#waiting.splice(0)) receiver.onResponseError?.(null as never, error);
    this.#onNoneWaiting?.();
  }

  /** Undefined while another is being made that may be enough. */
  #open(): Connection | undefined {
    if (this.#negotiating !== undefined) return undefined;
    const connection = new Connection(this.#target, this);
    this.#all.add(connection);
    if (this.#mayShare) this.#negotiating = connection;
    return connection;
  }

  /** Takes it from those that are free, if it is one. */
  #withdraw(connection: Connection): boolean {
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    return at >= 0;
  }

  async #end(): Promise<void> {
    if (this.#waiting.length > 0) await new Promise<void>((resolve) => (this.#onNoneWaiting = resolve));
    this.#free.length = 0;
    await Promise.all(Array.from(this.#all, (one) => one.close()));
  }
}
