/**
 * Observes the HTTP/2 streams that undici creates and does not expose: applies the corrections of this folder to each stream,
 * and recognizes truncated responses and requests that the server has not processed.
 */
import { subscribe } from 'node:diagnostics_channel';
import { constants, type ClientHttp2Stream, type Http2Session } from 'node:http2';
import { trackStream } from './http2-sessions.ts';
import { guardUpload } from './http2-uploads.ts';
import { trackedSocket } from './stale-connections.ts';

/** Streams by the headers of their response: the one object that both Node's diagnostics channel and undici hand out. */
const streamsByHeaders = new WeakMap<object, ObservedStream>();
/** False for most clients, which use HTTP/1.1 only: then nothing is looked up. */
let hasStreams = false;

subscribe('http2.client.stream.finish', (message) => {
  const { stream, headers } = message as { stream: ObservedStream; headers: object };
  hasStreams = true;
  streamsByHeaders.set(headers, stream);
});

subscribe('http2.client.stream.created', (message) => {
  const { stream } = message as { stream: ObservedStream };
  // Other users of HTTP/2 in this process are left alone.
  const socket = trackedSocket(stream.session?.socket);
  if (socket === undefined) return;
  trackStream(stream, stream.session as Http2Session, socket);
  // undici removes its listeners when the request has ended, and the stream may still be open. When its connection then
  // breaks, an `error` event without a listener would end the process.
  stream.on('error', () => {});
  stream.push = pushAndObserve;
  guardUpload(stream);
});

const BODY_END = Symbol('how the body of the response ended');

interface ObservedStream extends ClientHttp2Stream {
  [BODY_END]?: 'complete' | 'truncated';
}

/** Node pushes null when the last data has arrived or when the stream is closed, whichever is first. */
function pushAndObserve(this: ObservedStream, chunk: unknown, encoding?: BufferEncoding): boolean {
  if (chunk === null) this[BODY_END] ??= this.closed ? 'truncated' : 'complete';
  const { push } = Object.getPrototypeOf(this) as ClientHttp2Stream;
  return push.call(this, chunk, encoding);
}

/**
 * The error for a response whose stream ended by a reset; undefined for a complete one. Node reports a reset with CANCEL like
 * the end of a body (HAProxy sends that when the server behind it is gone), so that without `content-length` half a response
 * would pass for a complete one. NO_ERROR after a complete response is no failure (RFC 9113, section 8.1).
 *
 * @param headers - the very object that undici passed on
 */
export function truncationError(headers: object): Error | undefined {
  if (!hasStreams) return undefined;
  const stream = streamsByHeaders.get(headers);
  if (stream === undefined) return undefined;
  const { rstCode: code, [BODY_END]: bodyEnd } = stream;
  if (code === constants.NGHTTP2_NO_ERROR && bodyEnd !== 'truncated') return undefined;
  const error = new Error('The stream was reset in the middle of the response');
  return Object.assign(error, { code: 'ERR_HTTP2_STREAM_ERROR', http2ErrorCode: code });
}

/** The message of undici for a request above the last stream id of a GOAWAY. The error has no code of its own. */
const GOAWAY_MESSAGE = 'HTTP/2: "GOAWAY" frame received';

/** Codes of Node.js for a request that was never sent: its connection had just broken, or accepts no new streams. */
export const UNSENT_CODES: ReadonlySet<string> = new Set(['ERR_HTTP2_GOAWAY_SESSION', 'ERR_HTTP2_INVALID_SESSION']);

/**
 * Whether the server has not processed a request: it refused the stream, excluded it by GOAWAY (RFC 9113, section 8.7), or the
 * request was never sent. Such a request may be repeated whatever its method.
 */
export function wasNotProcessed(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code = '', http2ErrorCode } = error as { code?: string; http2ErrorCode?: unknown };
  if (UNSENT_CODES.has(code)) return true;
  return http2ErrorCode === constants.NGHTTP2_REFUSED_STREAM || error.message.startsWith(GOAWAY_MESSAGE);
}
