// The global `Buffer` is a getter, which would be called for every response.
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import { makeConnector, type MakeConnection } from '../dispatcher.ts';

/** As much as Node.js reads at a time. */
const READ_BUFFER_BYTES = 65_536;
/** All sockets read into this buffer, one after the other: what has arrived is copied before the next one reads. */
const READ_BUFFER = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES);

/** Creating a buffer is a considerable part of what a small response costs, so small ones get slices of a larger buffer. */
const SLAB_BYTES = 16_384;
const MAX_SLICE_BYTES = 4_096;
let slab = new ArrayBuffer(SLAB_BYTES);
let usedBytes = 0;

function allocate(size: number): Buffer {
  if (size > MAX_SLICE_BYTES) return Buffer.allocUnsafeSlow(size);
  if (usedBytes + size > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    usedBytes = 0;
  }
  const slice = Buffer.from(slab, usedBytes, size);
  usedBytes += size;
  return slice;
}

const readers = new WeakMap<Socket, SocketReader>();

/**
 * Like `makeConnector`; connections that are not encrypted read into a buffer that they share, and can {@link bypassStream}.
 * Encrypted ones may turn out to be HTTP/2, which reads from the socket itself.
 */
export function makeHttp1Connector(options: object): MakeConnection {
  const connectEncrypted = makeConnector(options);
  return (target, callback) => {
    if (target.protocol === 'https:') return connectEncrypted(target, callback);
    const reader = new SocketReader();
    const socket = makeConnector({ ...options, onread: reader.onread })(target, callback);
    reader.attach(socket);
    readers.set(socket, reader);
    return socket;
  };
}

/**
 * From now on, passes what arrives on `socket` directly to undici, if {@link makeHttp1Connector} allows it.
 *
 * @param socket - from which the parser of undici that http1-parser-patch.ts knows is about to read; another one may depend on
 *   what a stream does beyond that
 */
export function bypassStream(socket: Socket): void {
  readers.get(socket)?.bypassStream();
}

/**
 * Passes what arrives on a socket to undici, at first through the `Readable` of the socket, which queues each chunk and
 * announces it one turn later. undici listens to `readable` and calls `read()`, and `unshift()` when its reader has paused; to
 * bypass the stream, both lead here instead. Everything else, the end of the stream too, remains the socket's.
 *
 * While undici leaves a chunk unread, nothing more is read, so that at most one chunk is buffered.
 */
class SocketReader {
  /** The option of `net.connect`. */
  readonly onread = { buffer: READ_BUFFER, callback: (size: number): boolean => this.#onRead(size) };
  #socket: Socket | undefined = undefined;
  #isBypassing = false;
  #unread: Buffer | undefined = undefined;
  #isStopped = false;

  attach(socket: Socket): void {
    this.#socket = socket;
  }

  bypassStream(): void {
    const socket = this.#socket as Socket;
    this.#isBypassing = true;
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
    const socket = this.#socket as Socket;
    const chunk = allocate(size);
    READ_BUFFER.copy(chunk, 0, 0, size);
    if (!this.#isBypassing) return socket.push(chunk);
    this.#unread = chunk;
    socket.emit('readable');
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
