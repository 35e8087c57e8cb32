/**
 * Detects requests that failed because their idle connection had gone stale: a server may close a connection at the very
 * moment a request is written to it. Such a request is repeated at no cost, since neither side is at fault.
 *
 * The marks are kept on sockets and beside errors because both belong to Node or undici.
 */
import type { Socket } from 'node:net';

/** Errors of sockets that had carried a response before. */
const reusedSocketErrors = new WeakSet<Error>();

const TRACKED = Symbol('the socket itself, if @macadam/http made it');
const REUSED = Symbol('whether it has carried a response');

interface TrackedSocket {
  [TRACKED]?: Socket;
  [REUSED]?: boolean;
}

/** The real socket behind the proxy object that an HTTP/2 session exposes; undefined unless this package made it. */
export function trackedSocket(socket: object | undefined): Socket | undefined {
  return (socket as TrackedSocket | undefined)?.[TRACKED];
}

/** Records errors of `socket` once it has carried a response. Called for every connection right after it is made. */
export function trackSocket(socket: Socket): void {
  const tracked = socket as TrackedSocket;
  tracked[TRACKED] = socket;
  tracked[REUSED] = false;
  const onError = (error: Error): void => {
    if (tracked[REUSED] === true) reusedSocketErrors.add(error);
    // Node's TLS emits an alert that comes after the handshake without destroying the socket. undici would then see the
    // socket end, report that instead, and hide that the client certificate was rejected.
    if (!socket.destroyed) socket.destroy(error);
  };
  socket.prependListener('error', onError);
}

/** Records that `socket` has carried a response. */
export function markReused(socket: Socket): void {
  (socket as TrackedSocket)[REUSED] = true;
}

/** Records that the response to the failed request had begun: the connection was not stale. */
export function unmarkStaleFailure(error: Error): void {
  reusedSocketErrors.delete(error);
}

/** Whether `error` came from a connection that had carried a response before, and no response to this request had begun. */
export function failedOnReusedSocket(error: unknown): boolean {
  return error instanceof Error && reusedSocketErrors.has(error);
}
