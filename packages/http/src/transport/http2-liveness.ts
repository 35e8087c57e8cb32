/**
 * Detects HTTP/2 connections that died silently: the server lost power, or a firewall forgot the connection. Over HTTP/1.1 a
 * request that times out closes its connection. Over HTTP/2 only its stream is closed, so the next request would go out on the
 * same dead connection and time out as well, until TCP gives up after about 15 minutes.
 */
import { systemClock } from '@macadam/core';
import type { Http2Session } from 'node:http2';
import { isDrained, retireSession } from './http2-sessions.ts';

/** Far above the round trip of any network, and enough for a packet that has to be sent again. */
const MAX_SILENCE_MS = 2_000;
const CHECK_INTERVAL_MS = 500;
/** The slowest line that an upload is waited for on: 2 Mbit/s. */
const MIN_UPLOAD_BYTES_PER_MS = 250;
/** What the operating system may have buffered of an upload: a socket buffer in Linux grows up to this. */
const MAX_BUFFERED_BYTES = 4_194_304;

/** Sessions with a liveness check in progress. */
const checking = new WeakSet<Http2Session>();

/** What had been received and sent in total when an upload last wrote something after data had arrived. */
interface UploadMark {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}
const uploadMarks = new WeakMap<Http2Session, UploadMark>();

/** Records that an upload writes data. A PING is queued behind it, so its response may take as long as the data. */
export function recordUploadProgress(session: Http2Session | undefined): void {
  if (session === undefined || session.destroyed) return;
  const { bytesRead, bytesWritten } = session.socket;
  if (uploadMarks.get(session)?.bytesRead !== bytesRead) uploadMarks.set(session, { bytesRead, bytesWritten });
}

/** Called when a request on the session was cancelled: sends a PING, and destroys the session when nothing arrives. */
export function checkLiveness(session: Http2Session | undefined): void {
  if (session === undefined || session.destroyed || checking.has(session)) return;
  checking.add(session);
  // Its response is not awaited: any data is a sign of life, and on a slow line other data may come first.
  session.ping(() => {});
  scheduleCheck(session, session.socket.bytesRead, CHECK_INTERVAL_MS);
}

function scheduleCheck(session: Http2Session, bytesRead: number, silenceMs: number): void {
  // A session does not belong to one client, so the clock of none is used.
  systemClock.setTimer(() => evaluate(session, bytesRead, silenceMs), CHECK_INTERVAL_MS).unref?.();
}

function evaluate(session: Http2Session, bytesRead: number, silenceMs: number): void {
  if (session.destroyed || session.socket.bytesRead > bytesRead) {
    checking.delete(session);
    return;
  }
  if (silenceMs < silenceLimitMs(session)) {
    scheduleCheck(session, bytesRead, silenceMs + CHECK_INTERVAL_MS);
    return;
  }
  checking.delete(session);
  retireSession(session);
  const message = `The connection is dead: nothing was received for ${silenceMs} ms, not even the acknowledgement of a PING`;
  session.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
}

/**
 * Longer while uploaded data may still be in transit with the PING behind it, unless no request depends on the session: after
 * a GOAWAY the rest of a cancelled upload would keep the socket of a server that has stopped reading.
 */
function silenceLimitMs(session: Http2Session): number {
  const mark = uploadMarks.get(session);
  const { bytesRead, bytesWritten } = session.socket;
  if (mark?.bytesRead !== bytesRead || isDrained(session)) return MAX_SILENCE_MS;
  return MAX_SILENCE_MS + Math.min(bytesWritten - mark.bytesWritten, MAX_BUFFERED_BYTES) / MIN_UPLOAD_BYTES_PER_MS;
}
