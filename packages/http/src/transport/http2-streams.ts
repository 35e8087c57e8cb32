import { subscribe } from 'node:diagnostics_channel';
import { constants, type ClientHttp2Stream, type Http2Session } from 'node:http2';
import { leaveInTime } from './http2-liveness.ts';
import { guardUpload } from './http2-uploads.ts';
import { watchedSocket } from './reused-sockets.ts';

/**
 * Streams of HTTP/2 by the headers of their answers: the one object that Node, which has the stream, and the transport,
 * which does not pass it on, both hand out.
 */
const streams = new WeakMap<object, WatchedStream>();
/** Whether there was any: most clients never look further. */
let isUsed = false;

subscribe('http2.client.stream.finish', (message) => {
  const { stream, headers } = message as { stream: WatchedStream; headers: object };
  isUsed = true;
  streams.set(headers, stream);
});

subscribe('http2.client.stream.created', (message) => {
  const { stream } = message as { stream: WatchedStream };
  const socket = watchedSocket(stream.session?.socket);
  if (socket === undefined) return;
  leaveInTime(stream.session as Http2Session, socket);
  // The transport stops listening to a stream when its request has ended, and the stream may still be open then: to be
  // closed, or cancelled. When its connection breaks, it fails with nobody listening, which would end the process.
  stream.on('error', () => {});
  stream.push = notingEnd;
  guardUpload(stream);
});

const END = Symbol('how the answer on a stream ended');

interface WatchedStream extends ClientHttp2Stream {
  [END]?: 'cut' | 'whole';
}

/** Node ends what is read of a stream when the last piece has come, and when it is closed, whichever is first. */
function notingEnd(this: WatchedStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null) this[END] ??= this.closed ? 'cut' : 'whole';
  const { push } = Object.getPrototypeOf(this) as ClientHttp2Stream;
  return push.call(this, chunk, encoding);
}

/**
 * Why an answer is not whole although its stream has ended: the server reset it. Node tells a reset with CANCEL like the
 * end of a body (HAProxy resets so when the server behind it is gone), and without `content-length` half of an answer
 * would pass for the whole. After a whole answer NO_ERROR is no failure (RFC 9113, section 8.1).
 *
 * @param headers - as the transport gave them
 */
export function cutShort(headers: object): Error | undefined {
  if (!isUsed) return undefined;
  const stream = streams.get(headers);
  if (stream === undefined) return undefined;
  const { rstCode: code, [END]: end } = stream;
  if (code === constants.NGHTTP2_NO_ERROR && end !== 'cut') return undefined;
  const error = new Error('The stream was reset in the middle of its answer');
  return Object.assign(error, { code: 'ERR_HTTP2_STREAM_ERROR', http2ErrorCode: code });
}

/** The transport gives a request this when a GOAWAY said that its stream was not looked at; it has no code of its own. */
const NOT_LOOKED_AT = 'HTTP/2: "GOAWAY" frame received';

/** Codes of Node's for a request that it did not begin to send: the connection had just broken, or was about to be left. */
export const UNSENT_CODES: ReadonlySet<string> = new Set(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']);

/**
 * Whether the server did nothing about a request: it refused the stream, or went away before it (RFC 9113, section 8.7), or
 * the request never left. Such a request may be sent again, whatever it does.
 */
export function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '', http2ErrorCode } = error as { code?: string; http2ErrorCode?: unknown };
  if (UNSENT_CODES.has(code)) return true;
  return http2ErrorCode === constants.NGHTTP2_REFUSED_STREAM || error.message.startsWith(NOT_LOOKED_AT);
}
