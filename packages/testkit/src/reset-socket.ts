import type { Socket } from 'node:net';

/**
 * Ends a connection with a TCP RST. A socket whose `end()` has not finished is destroyed instead: the system refuses to reset it, and
 * Node would then never close it or emit `close`.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
