/** How HTTP/2 sessions end: they accept no new streams, let the open ones end, and then close their socket in bounded time. */
import { systemClock } from '@macadam/core';
import { constants, type ClientHttp2Stream, type Http2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** The largest stream id: a GOAWAY with it refuses no stream that has been opened. */
const MAX_STREAM_ID = 2_147_483_647;

/**
 * Makes undici open another connection for the next requests, as if the server had sent GOAWAY. Requests in flight end on
 * this one.
 */
export function retireSession(session: Http2Session): void {
  session.emit('goaway', constants.NGHTTP2_NO_ERROR, MAX_STREAM_ID);
}

/** The time that data already written has to be sent after the session has ended. No request waits for it. */
const CLOSE_TIMEOUT_MS = 2_000;

const openStreams = new WeakMap<Http2Session, number>();

/** Counts a stream that was just created, and bounds the time for which `session` keeps `socket`. */
export function trackStream(stream: ClientHttp2Stream, session: Http2Session, socket: Socket): void {
  if (!openStreams.has(session)) closeSocketInTime(session, socket);
  openStreams.set(session, (openStreams.get(session) ?? 0) + 1);
  stream.on('close', () => openStreams.set(session, (openStreams.get(session) as number) - 1));
}

/** Whether the session accepts no new streams and has none open: no request depends on it. */
export function isDrained(session: Http2Session): boolean {
  return session.closed && (openStreams.get(session) ?? 0) === 0;
}

/**
 * Destroys `socket` soon after its session. Node waits without limit until everything written has been sent and the server has
 * closed its side: a server that sends GOAWAY and then stops reading would keep the socket forever.
 */
function closeSocketInTime(session: Http2Session, socket: Socket): void {
  const destroy = session.destroy.bind(session);
  session.destroy = (...reason) => {
    destroy(...reason);
    if (!socket.destroyed) systemClock.setTimer(() => socket.destroy(), CLOSE_TIMEOUT_MS).unref?.();
  };
}
