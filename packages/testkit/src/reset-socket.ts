import type { Socket } from 'node:net';

/**
 * Ends a connection with a TCP RST. One that is being ended in good order is closed instead: the system refuses to reset it, and Node
 * then neither closes it nor ever says that it is closed.
 */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}
