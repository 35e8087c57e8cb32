import { subscribe } from 'node:diagnostics_channel';
import { constants, type ClientHttp2Stream } from 'node:http2';
import { guardUpload } from './http2-uploads.ts';
import { isWatched } from './reused-sockets.ts';

/**
 * Streams of HTTP/2 by the headers of their answers: the one object that Node, which has the stream, and the transport,
 * which does not pass it on, both hand out.
 */
const streams = new WeakMap<object, ClientHttp2Stream>();
/** Whether there was any: most clients never look further. */
let isUsed = false;

subscribe('http2.client.stream.finish', (message) => {
  const { stream, headers } = message as { stream: ClientHttp2Stream; headers: object };
  isUsed = true;
  streams.set(headers, stream);
});

subscribe('http2.client.stream.created', (message) => {
  const { stream } = message as { stream: ClientHttp2Stream };
  if (!isWatched(stream.session?.socket)) return;
  // The transport stops listening to a stream when its request has ended, and the stream may still be open then: to be
  // closed, or cancelled. When its connection breaks, it fails with nobody listening, which would end the process.
  stream.on('error', () => {});
  guardUpload(stream);
});

/**
 * Why an answer is not whole although its stream has ended: the server reset it. Node tells a reset with CANCEL like the
 * end of a body (HAProxy resets so when the server behind it is gone), and without `content-length` half of an answer
 * would pass for the whole. NO_ERROR is no such reset: it may follow a whole answer (RFC 9113, section 8.1).
 *
 * @param headers - as the transport gave them
 */
export function cutShort(headers: object): Error | undefined {
  if (!isUsed) return undefined;
  const code = streams.get(headers)?.rstCode;
  if (code === undefined || code === constants.NGHTTP2_NO_ERROR) return undefined;
  const error = new Error('The stream was reset in the middle of its answer');
  return Object.assign(error, { code: 'ERR_HTTP2_STREAM_ERROR', http2ErrorCode: code });
}

/** The transport gives a request this when a GOAWAY said that its stream was not looked at; it has no code of its own. */
const NOT_LOOKED_AT = 'HTTP/2: "GOAWAY" frame received';

/**
 * Whether the server said that it did nothing about a request: it refused the stream, or went away before it (RFC 9113,
 * section 8.7). Such a request may be sent again, whatever it does.
 */
export function wasRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { http2ErrorCode } = error as { http2ErrorCode?: unknown };
  return http2ErrorCode === constants.NGHTTP2_REFUSED_STREAM || error.message.startsWith(NOT_LOOKED_AT);
}
