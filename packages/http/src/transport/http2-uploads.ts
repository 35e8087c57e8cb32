/**
 * Ends HTTP/2 streams whose upload was not read to its end: cancelled here, reset by the server, or responded to early. Node
 * keeps what it could not send of them, and undici does not clean up a stream whose request is over. Without this, a session
 * that looks healthy, and so stays in use, would after some time refuse every stream.
 */
import { constants, type ClientHttp2Stream, type Http2Session } from 'node:http2';
import { checkLiveness, recordUploadProgress } from './http2-liveness.ts';
import { retireSession } from './http2-sessions.ts';

/** How much of a body Node is given at a time. */
const CHUNK_BYTES = 65_536;
/** Node refuses every stream of a session that holds 10 MB; 100 uploads in flight take up to 6.5 MB of that. */
const MAX_UNSENT_BYTES = 2_097_152;

/** What Node could not send on closed streams of a session, and never frees. */
const unsentBytes = new WeakMap<Http2Session, number>();

/** Makes a stream that was just created end together with its request, however much of the body has been sent. */
export function guardUpload(stream: ClientHttp2Stream): void {
  const session = stream.session as Http2Session;
  stream.close = closeWithCode;
  stream.write = writeInChunks as typeof stream.write;
  stream.on('end', closeAfterResponse);
  stream.on('close', () => {
    if (!stream.writableFinished) addUnsentBytes(session, Math.min(stream.writableLength, CHUNK_BYTES));
  });
}

/**
 * undici closes a cancelled stream without a code and destroys it. Node then delays the reset until the body has been written,
 * which never happens: as soon as the server has room for more data, Node builds empty frames for the destroyed stream in an
 * endless loop until memory is exhausted. With a code the stream is reset at once.
 */
function closeWithCode(this: ClientHttp2Stream, code = constants.NGHTTP2_CANCEL, callback?: () => void): void {
  const { close } = Object.getPrototypeOf(this) as ClientHttp2Stream;
  if (code === constants.NGHTTP2_CANCEL) checkLiveness(this.session);
  close.call(this, code, callback);
}

/** Writes a large body in chunks, each when the one before has been sent: in one piece it would fill the session. */
function writeInChunks(this: ClientHttp2Stream, body: unknown, ...others: unknown[]): boolean {
  const { write } = Object.getPrototypeOf(this) as { write: (chunk: unknown, ...others: unknown[]) => boolean };
  recordUploadProgress(this.session);
  if (!(body instanceof Uint8Array) || body.length <= CHUNK_BYTES) return write.call(this, body, ...others);
  // Otherwise Node would hand over all waiting chunks in one call.
  this._writev = null as never;
  const onSent = (): void => recordUploadProgress(this.session);
  let offset = 0;
  for (; offset + CHUNK_BYTES < body.length; offset += CHUNK_BYTES) {
    write.call(this, body.subarray(offset, offset + CHUNK_BYTES), onSent);
  }
  return write.call(this, body.subarray(offset), ...others);
}

/**
 * A server may respond without having read the request, and need not reset the stream (RFC 9113, section 8.1). The stream would
 * stay open and count towards the server's limit of concurrent streams. Over HTTP/1.1 the connection is closed in this case.
 */
function closeAfterResponse(this: ClientHttp2Stream): void {
  // One turn of the event loop later: by then Node has recorded the end of a body that was just sent, and undici has taken the
  // response for complete. No clock is involved.
  // eslint-disable-next-line no-restricted-globals
  if (!this.writableFinished) setImmediate(closeUnfinished, this);
}

function closeUnfinished(stream: ClientHttp2Stream): void {
  if (stream.writableFinished || stream.destroyed) return;
  stream.close();
  stream.destroy();
}

/** Retires the session before it refuses every stream. */
function addUnsentBytes(session: Http2Session, bytes: number): void {
  const total = (unsentBytes.get(session) ?? 0) + bytes;
  unsentBytes.set(session, total);
  if (total <= MAX_UNSENT_BYTES || session.closed) return;
  queueMicrotask(() => retireSession(session));
}
