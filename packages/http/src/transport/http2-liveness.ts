/**
 * Connections of HTTP/2 that are gone without a word: the other side lost its power, or something in between forgot them. A
 * request of HTTP/1.1 that is given up takes its connection along. Here it takes its stream, and the next request goes out
 * on the same connection and is waited for as long, until TCP gives up after a quarter of an hour.
 */
import { systemClock } from '@macadam/core';
import { constants, type Http2Session } from 'node:http2';

/** Far above the way there and back on any network, and enough for a packet that has to be sent again. */
const SILENCE_MS = 2_000;

/** All streams that were begun may go on. */
const LAST_STREAM_ID = 2_147_483_647;

/** Those that are being listened to. */
const suspected = new WeakSet<Http2Session>();

/** Has a connection on which a request was given up show that it is alive: who hears nothing from it leaves it. */
export function suspect(session: Http2Session | undefined): void {
  if (session === undefined || session.destroyed || suspected.has(session)) return;
  suspected.add(session);
  const heardBytes = session.socket.bytesRead;
  // Whatever comes is a sign of life: a slow line may have more to say before the answer to this.
  session.ping(() => {});
  // Sessions are not a client's, so there is no clock of one.
  systemClock.setTimer(() => judge(session, heardBytes), SILENCE_MS).unref?.();
}

function judge(session: Http2Session, heardBytes: number): void {
  suspected.delete(session);
  if (session.destroyed || session.socket.bytesRead > heardBytes) return;
  retire(session);
  const message = `The connection is dead: for ${SILENCE_MS} ms nothing came, not even the answer to a PING`;
  session.destroy(Object.assign(new Error(message), { code: 'ETIMEDOUT' }));
}

/**
 * Has the transport make another connection for what comes next: as if the server had said that it takes no more streams.
 * Those in flight end where they are.
 */
export function retire(session: Http2Session): void {
  session.emit('goaway', constants.NGHTTP2_NO_ERROR, LAST_STREAM_ID);
}
