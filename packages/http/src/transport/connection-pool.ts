import { AsyncLocalStorage } from 'node:async_hooks';
import { ClosedError } from '@macadam/core';
import type { Connections, ConnectionStats, DispatchOptions, Receiver } from '../dispatcher.ts';
import { Connection, type ConnectionOwner, type ConnectionTarget } from './connection.ts';

/** A request that waits until the protocol of the connecting connection is known. */
interface Waiter {
  readonly receiver: Receiver;
  /** Runs in the async context of the caller, which subscribers to undici's diagnostics channels read. */
  readonly send: () => void;
}

/**
 * The connections to one origin. The most recently released one is used first, so that connections opened for a peak fall
 * idle and are closed.
 *
 * An HTTP/1.1 connection carries one request at a time and is available as soon as the response has been read. undici's
 * `Pool` notices that one turn of the event loop later, so it keeps two connections for a caller that sends one request after
 * the other, and it scans all connections for a free one. An HTTP/2 connection carries as many requests as undici reports
 * capacity for. The protocol is only known after the TLS handshake; until then further requests wait for the connection that
 * is connecting instead of opening more.
 */
export class ConnectionPool implements Connections, ConnectionOwner {
  readonly #target: ConnectionTarget;
  readonly #all = new Set<Connection>();
  /** Connections that can take a request. A stack: the last one is used first. */
  readonly #available: Connection[] = [];
  /** Whether the next connection may turn out to be HTTP/2. */
  #mayBeShared: boolean;
  /** The connection that requests wait for, because it may turn out to be HTTP/2. */
  #negotiating: Connection | undefined;
  readonly #waiters: Waiter[] = [];
  #closing: Promise<void> | undefined;
  #onNoWaiters: (() => void) | undefined;

  constructor(target: ConnectionTarget) {
    this.#target = target;
    this.#mayBeShared = target.origin.startsWith('https:');
  }

  dispatch(options: DispatchOptions, receiver: Receiver): boolean {
    if (this.#closing === undefined) this.#send(options, receiver);
    else receiver.onResponseError?.(null as never, new ClosedError('Connection pool'));
    return true;
  }

  get stats(): ConnectionStats {
    const sum = { connected: 0, free: 0, pending: this.#waiters.length, running: 0 };
    for (const { stats } of this.#all) {
      if (stats.connected) sum.connected++;
      sum.pending += stats.pending;
      sum.running += stats.running;
    }
    for (const { stats } of this.#available) if (stats.connected) sum.free++;
    return sum;
  }

  /** Lets requests in flight end, then closes every socket. */
  close(): Promise<void> {
    return (this.#closing ??= this.#drain());
  }

  release(connection: Connection): void {
    if (connection.isRetired) return;
    // A shared connection is also released when it was available all along.
    if (connection.isShared && this.#available.includes(connection)) return;
    this.#available.push(connection);
  }

  onCapacity(connection: Connection): void {
    this.release(connection);
    if (this.#waiters.length > 0) this.#sendWaiters();
    this.onProtocolKnown(connection);
  }

  retire(connection: Connection): void {
    connection.isRetired = true;
    void connection.close().then(() => this.#all.delete(connection));
  }

  retireAvailable(): void {
    for (const connection of this.#available.splice(0)) this.retire(connection);
  }

  onDisconnect(connection: Connection, error: Error): void {
    // An HTTP/1.1 connection in use may reconnect for its request. A shared one must not: the pool opens the replacement.
    if (this.#removeAvailable(connection) || connection.isShared) this.retire(connection);
    if (connection === this.#negotiating) this.#failWaiters(error);
  }

  onProtocolKnown(connection: Connection): void {
    this.#mayBeShared = connection.isShared;
    if (connection !== this.#negotiating) return;
    this.#negotiating = undefined;
    this.#sendWaiters();
  }

  onConnectFailed(connection: Connection, error: Error): void {
    this.#removeAvailable(connection);
    this.retire(connection);
    if (connection === this.#negotiating) this.#failWaiters(error);
  }

  #send(options: DispatchOptions, receiver: Receiver): void {
    const connection = this.#available.pop() ?? this.#open();
    if (connection !== undefined) {
      connection.send(options, receiver);
      return;
    }
    const runInContext = AsyncLocalStorage.snapshot();
    this.#waiters.push({ receiver, send: () => runInContext(() => this.#send(options, receiver)) });
  }

  /** Sends waiting requests while a connection is available or another one may be opened. Each waiter is taken once. */
  #sendWaiters(): void {
    while (this.#waiters.length > 0 && (this.#available.length > 0 || this.#negotiating === undefined)) {
      const next = this.#waiters.shift() as Waiter;
      // The caller has given up: sending would open a connection that nobody uses.
      if (next.receiver.settled !== true) next.send();
    }
    if (this.#waiters.length === 0) this.#onNoWaiters?.();
  }

  /** The same connect error awaits every waiter, and connecting once more for each in turn would exceed their time limits. */
  #failWaiters(error: Error): void {
    this.#negotiating = undefined;
    for (const { receiver } of this.#waiters.splice(0)) receiver.onResponseError?.(null as never, error);
    this.#onNoWaiters?.();
  }

  /** Undefined while the connection being negotiated may turn out to be shared. */
  #open(): Connection | undefined {
    if (this.#negotiating !== undefined) return undefined;
    const connection = new Connection(this.#target, this);
    this.#all.add(connection);
    if (this.#mayBeShared) this.#negotiating = connection;
    return connection;
  }

  /** Returns whether the connection was available. */
  #removeAvailable(connection: Connection): boolean {
    const index = this.#available.indexOf(connection);
    if (index >= 0) this.#available.splice(index, 1);
    return index >= 0;
  }

  async #drain(): Promise<void> {
    if (this.#waiters.length > 0) await new Promise<void>((resolve) => (this.#onNoWaiters = resolve));
    this.#available.length = 0;
    await Promise.all(Array.from(this.#all, (connection) => connection.close()));
  }
}
