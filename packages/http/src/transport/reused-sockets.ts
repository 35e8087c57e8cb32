import type { Socket } from 'node:net';

/** Failures of connections that had served before: kept beside the errors, which are the transport's. */
const onReusedSocket = new WeakSet<Error>();

const WATCHED = Symbol('a socket of @macadam/http');
const SERVED = Symbol('whether it has carried an answer');

interface WatchedSocket {
  [WATCHED]?: Socket;
  [SERVED]?: boolean;
}

/** The socket itself of what stands for it on a session of HTTP/2; undefined for one that was not made here. */
export function watchedSocket(socket: object | undefined): Socket | undefined {
  return (socket as WatchedSocket | undefined)?.[WATCHED];
}

/**
 * Marks what `socket` fails with once it has been of use: a server may close a connection that rests at the very moment
 * a request is written to it, and then the request was lost without anybody having failed.
 */
export function watchSocket(socket: Socket): void {
  const watched = socket as WatchedSocket;
  watched[WATCHED] = socket;
  watched[SERVED] = false;
  const mark = (error: Error): void => {
    if (watched[SERVED] === true) onReusedSocket.add(error);
    // TLS tells of an alert after its handshake without ending the socket. Whoever then sees it end would take that for the
    // failure, and not learn that its certificate was not accepted.
    if (!socket.destroyed) socket.destroy(error);
  };
  socket.prependListener('error', mark);
}

/** `socket` has carried an answer. */
export function noteServed(socket: Socket): void {
  (socket as WatchedSocket)[SERVED] = true;
}

/** A request failed with `error` on its own connection when its answer had begun: so that had not gone stale. */
export function noteAnswering(error: Error): void {
  onReusedSocket.delete(error);
}

/** Whether a request failed with `error` because its connection had gone stale. */
export function wasReused(error: unknown): boolean {
  return error instanceof Error && onReusedSocket.has(error);
}
