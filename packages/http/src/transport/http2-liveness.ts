/**
 * Connections of HTTP/2 that are gone without a word: the other side lost its power, or something in between forgot them. A
 * request of HTTP/1.1 that is given up takes its connection along. Here it takes its stream, and the next request goes out
 * on the same connection and is waited for as long, until TCP gives up after a quarter of an hour.
 */
import { systemClock } from '@macadam/core';
import { constants, type Http2Session } from 'node:http2';
import type { Socket } from 'node:net';

/** Far above the way there and back on any network, and enough for a packet that has to be sent again. */
const SILENCE_MS = 2_000;
const LOOK_MS = 500;
/** So many bytes a millisecond the slowest line takes that is worth waiting for: 2 Mbit/s. */
const SLOWEST_LINE = 250;
/** As much as the system takes of what a line has not: the buffer of a socket in Linux grows to this. */
const MOST_BUFFERED_BYTES = 4_194_304;

/** All streams that were begun may go on. */
const LAST_STREAM_ID = 2_147_483_647;

/** Those that are being listened to. */
const suspected = new WeakSet<Http2Session>();

/** How much had come, and had been sent, when an upload was last seen after something had come. */
interface Heard {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}
const lastHeard = new WeakMap<Http2Session, Heard>();

/** Notes that more of an upload is sent: a PING would have to wait for it to get through. */
export function noteUpload(session: Http2Session | undefined): void {
  if (session === undefined || session.destroyed) return;
  const { bytesRead, bytesWritten } = session.socket;
  if (lastHeard.get(session)?.bytesRead !== bytesRead) lastHeard.set(session, { bytesRead, bytesWritten });
}

/** Has a connection on which a request was given up show that it is alive: who hears nothing from it leaves it. */
export function suspect(session: Http2Session | undefined): void {
  if (session === undefined || session.destroyed || suspected.has(session)) return;
  suspected.add(session);
  // Whatever comes is a sign of life: a slow line may have more to say before the answer to this.
  session.ping(() => {});
  listen(session, session.socket.bytesRead, LOOK_MS);
}

function listen(session: Http2Session, heardBytes: number, silentMs: number): void {
  // Sessions are not a client's, so there is no clock of one.
  systemClock.setTimer(() => judge(session, heardBytes, silentMs), LOOK_MS).unref?.();
}

function judge(session: Http2Session, heardBytes: number, silentMs: number): void {
  if (session.destroyed || session.socket.bytesRead > heardBytes) {
    suspected.delete(session);
    return;
  }
  if (silentMs < patienceMs(session)) {
    listen(session, heardBytes, silentMs + LOOK_MS);
    return;
  }
  suspected.delete(session);
  retire(session);
  const message = `The connection is dead: for ${silentMs} ms nothing came, not even the answer to a PING`;
  session.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
}

/** Longer while what was uploaded may still be on its way, and the PING behind it. */
function patienceMs(session: Http2Session): number {
  const heard = lastHeard.get(session);
  const { bytesRead, bytesWritten } = session.socket;
  if (heard?.bytesRead !== bytesRead) return SILENCE_MS;
  return SILENCE_MS + Math.min(bytesWritten - heard.bytesWritten, MOST_BUFFERED_BYTES) / SLOWEST_LINE;
}

/**
 * Has the transport make another connection for what comes next: as if the server had said that it takes no more streams.
 * Those in flight end where they are.
 */
export function retire(session: Http2Session): void {
  session.emit('goaway', constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
}

/** By then what is left to send on a connection that has ended has gone, if it ever will: nobody waits for it. */
const LEAVING_MS = 2_000;

/** Those whose sockets go with them. */
const leaving = new WeakSet<Http2Session>();

/**
 * Has `socket` closed soon after its session has ended. Node waits, without end, until all that was written has gone, and the
 * server has closed its side as well: a server that sends GOAWAY and then reads no more would keep it for ever.
 */
export function leaveInTime(session: Http2Session, socket: Socket): void {
  if (leaving.has(session)) return;
  leaving.add(session);
  const destroy = session.destroy.bind(session);
  session.destroy = (...why) => {
    destroy(...why);
    if (!socket.destroyed) systemClock.setTimer(() => socket.destroy(), LEAVING_MS).unref?.();
  };
}
