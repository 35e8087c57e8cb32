import type { Socket } from 'node:net';
import { makeConnector, type MakeConnection } from '../dispatcher.ts';

/** As much as Node.js reads at a time. */
const READ_BUFFER_BYTES = 65_536;
/** All sockets read into this buffer, one after the other: what has arrived is copied before the next one reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/**
 * Like `makeConnector`, for connections that carry HTTP/1.1 and nothing else if they are not encrypted: these are read by a
 * {@link SocketReader}. Encrypted ones may turn out to be HTTP/2, which reads from the socket itself.
 */
export function makeHttp1Connector(options: object): MakeConnection {
  const connectEncrypted = makeConnector(options);
  return (target, callback) => {
    if (target.protocol === 'https:') return connectEncrypted(target, callback);
    const reader = new SocketReader();
    const socket = makeConnector({ ...options, onread: reader.onread })(target, callback);
    reader.attach(socket);
    return socket;
  };
}

/**
 * Passes what arrives on a socket to undici without the `Readable` of the socket in between, which queues each chunk and
 * announces it one turn later. undici listens to `readable` and calls `read()`, and `unshift()` when its reader has paused; both
 * lead here instead. Everything else, the end of the stream too, remains the socket's.
 *
 * While undici leaves a chunk unread, nothing more is read, so that at most one chunk is buffered.
 */
class SocketReader {
  /** The option of `net.connect`. */
  readonly onread = { buffer: READ_BUFFER, callback: (size: number): boolean => this.#onRead(size) };
  #socket: Socket | undefined = undefined;
  #unread: Buffer | undefined = undefined;
  #isStopped = false;

  attach(socket: Socket): void {
    this.#socket = socket;
    const readStream = socket.read.bind(socket);
    // Node.js itself calls `read(0)`, to begin reading and at the end of the stream.
    socket.read = (size?: number): Buffer | null =>
      size === undefined ? this.#takeUnread() : (readStream(size) as Buffer | null);
    socket.unshift = (rest: Buffer): void => {
      if (rest.length > 0) this.#unread = rest;
    };
  }

  /** @returns whether to go on reading */
  #onRead(size: number): boolean {
    const chunk = Buffer.allocUnsafe(size);
    READ_BUFFER.copy(chunk, 0, 0, size);
    this.#unread = chunk;
    this.#socket?.emit('readable');
    this.#isStopped = this.#unread !== undefined;
    return !this.#isStopped;
  }

  #takeUnread(): Buffer | null {
    const chunk = this.#unread;
    this.#unread = undefined;
    if (chunk !== undefined) return chunk;
    if (this.#isStopped) {
      this.#isStopped = false;
      this.#socket?.resume();
    }
    return null;
  }
}
