/**
 * Uploads over HTTP/2 that come to no end: given up here, reset by the server, or answered before they were read. Node keeps
 * what it could not send of them, and the transport does not look after a stream whose request is over. Without this one
 * connection, which looks well and so is used on, would come to refuse everything.
 */
import { constants, type ClientHttp2Stream, type Http2Session } from 'node:http2';
import { noteUpload, retire, suspect } from './http2-liveness.ts';

/** Node is handed so much of a body at a time. */
const PIECE_BYTES = 65_536;
/** Node refuses every stream of a session on which it holds 10 MB; 100 uploads in flight take 6.5 of them. */
const MOST_LOST_BYTES = 2_097_152;

/** What Node could not send on a session, and never lets go of. */
const lostBytes = new WeakMap<Http2Session, number>();

/** Sees to it that a stream which was just created ends with its request, whatever has been sent of that. */
export function guardUpload(stream: ClientHttp2Stream): void {
  const session = stream.session as Http2Session;
  stream.close = closeAtOnce;
  stream.write = writeInPieces as typeof stream.write;
  stream.on('end', endWithAnswer);
  stream.on('close', () => {
    if (!stream.writableFinished) countLost(session, Math.min(stream.writableLength, PIECE_BYTES));
  });
}

/**
 * What the transport gives up, it closes without a code and destroys. Node then puts the reset off until the body has been
 * written, and it never is: as soon as the server has room for more, Node goes on framing nothing for a stream that is
 * gone, for ever, and takes all the memory there is. A code has the stream reset at once, and says what happened.
 */
function closeAtOnce(this: ClientHttp2Stream, code = constants.NGHTTP2_CANCEL, callback?: () => void): void {
  const { close } = Object.getPrototypeOf(this) as ClientHttp2Stream;
  if (code === constants.NGHTTP2_CANCEL) suspect(this.session);
  close.call(this, code, callback);
}

/** A large body is handed over in pieces, each when the one before it has gone: as a whole it would fill the session. */
function writeInPieces(this: ClientHttp2Stream, chunk: unknown, ...others: unknown[]): boolean {
  const { write } = Object.getPrototypeOf(this) as { write: (chunk: unknown, ...others: unknown[]) => boolean };
  noteUpload(this.session);
  if (!(chunk instanceof Uint8Array) || chunk.length <= PIECE_BYTES) return write.call(this, chunk, ...others);
  // Otherwise all that waits would be handed over as one.
  this._writev = null as never;
  let at = 0;
  const sent = (): void => noteUpload(this.session);
  for (; at + PIECE_BYTES < chunk.length; at += PIECE_BYTES) {
    write.call(this, chunk.subarray(at, at + PIECE_BYTES), sent);
  }
  return write.call(this, chunk.subarray(at), ...others);
}

/**
 * A server may answer without having read the request, and need not say that it never will (RFC 9113, section 8.1). The
 * stream would stay open, and count among those that the server allows. What HTTP/1.1 does to the connection then is done
 * to the stream.
 */
function endWithAnswer(this: ClientHttp2Stream): void {
  // A turn of the event loop later: by then the end of what was just sent has been noticed, and the answer has been taken
  // for whole. No clock says when that is.
  // eslint-disable-next-line no-restricted-globals
  if (!this.writableFinished) setImmediate(giveUp, this);
}

function giveUp(stream: ClientHttp2Stream): void {
  if (stream.writableFinished || stream.destroyed) return;
  stream.close();
  stream.destroy();
}

/** Has the transport make another connection before this one refuses everything. */
function countLost(session: Http2Session, bytes: number): void {
  const lost = (lostBytes.get(session) ?? 0) + bytes;
  lostBytes.set(session, lost);
  if (lost <= MOST_LOST_BYTES || session.closed) return;
  queueMicrotask(() => retire(session));
}
