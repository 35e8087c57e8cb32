import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';

export const pem = (name: string): Buffer => readFileSync(new URL(`./certificates/${name}.pem`, import.meta.url));
export const ca: Buffer = pem('ca');

const DATA = 0x0;
const HEADERS = 0x1;
const RST_STREAM = 0x3;
const SETTINGS = 0x4;
const PING = 0x6;
const GOAWAY = 0x7;
const WINDOW_UPDATE = 0x8;
const ACK = 0x1;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const PREFACE_BYTES = 24;
const FRAME_HEAD_BYTES = 9;
const MAX_CONCURRENT_STREAMS = 0x3;
const INITIAL_WINDOW_SIZE = 0x4;
const A_GIBIBYTE = 1_073_741_824;

/** What the server advertises, and when it passes a request on. */
interface FramesOptions {
  /** The maximum of concurrent streams. Default: practically none. */
  readonly streams?: number;
  /** The initial flow control window of a stream. Default: enough for a body of any size. */
  readonly windowBytes?: number;
  /** Passes a request on as soon as its headers have arrived. Default: false, when all of it has. */
  readonly respondsToHeaders?: boolean;
}

/** A request, with methods that write single frames in response. */
export interface FramedRequest {
  readonly id: number;
  /** Its number over all connections, from 1. */
  readonly count: number;
  readonly socket: TLSSocket;
  headers(): void;
  data(text: string, isLast?: boolean): void;
  reset(code: number): void;
  goAway(lastId: number, code: number): void;
}

/**
 * An HTTP/2 server that writes each frame explicitly. Node's own server ends the body before it resets a stream, so it cannot
 * truncate a response.
 */
export async function http2Frames(
  { streams = A_GIBIBYTE, windowBytes = A_GIBIBYTE, respondsToHeaders = false }: FramesOptions,
  onRequest: (request: FramedRequest) => void,
): Promise<{ url: string; close: () => void }> {
  const settings = Buffer.concat([setting(MAX_CONCURRENT_STREAMS, streams), setting(INITIAL_WINDOW_SIZE, windowBytes)]);
  const sockets = new Set<TLSSocket>();
  let count = 0;
  const options = { cert: pem('server'), key: pem('server.key'), ALPNProtocols: ['h2'] };
  const server = createServer(options, (socket) => {
    sockets.add(socket);
    socket.setNoDelay();
    socket.on('error', () => {});
    socket.write(Buffer.concat([frame(SETTINGS, 0, 0, settings), frame(WINDOW_UPDATE, 0, 0, words(A_GIBIBYTE))]));
    readFrames(socket, (type, flags, id, payload) => {
      if (type === SETTINGS && (flags & ACK) === 0) socket.write(frame(SETTINGS, ACK, 0));
      if (type === PING && (flags & ACK) === 0) socket.write(frame(PING, ACK, 0, payload));
      const isWhole = (type === HEADERS || type === DATA) && (flags & END_STREAM) !== 0;
      if (respondsToHeaders ? type === HEADERS : isWhole) onRequest(framedRequest(socket, id, ++count));
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Sends a complete response. */
export function respond(request: FramedRequest, text = 'whole'): void {
  request.headers();
  request.data(text, true);
}

function framedRequest(socket: TLSSocket, id: number, count: number): FramedRequest {
  return {
    id,
    count,
    socket,
    // 0x88 is ":status: 200" in the static table of HPACK (RFC 7541, appendix A).
    headers: () => socket.write(frame(HEADERS, END_HEADERS, id, Buffer.from([0x88]))),
    data: (text, isLast = false) => socket.write(frame(DATA, isLast ? END_STREAM : 0, id, Buffer.from(text))),
    reset: (code) => socket.write(frame(RST_STREAM, 0, id, words(code))),
    goAway: (lastId, code) => socket.write(frame(GOAWAY, 0, 0, words(lastId, code))),
  };
}

function setting(name: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([0, name]), words(value)]);
}

function words(...numbers: number[]): Buffer {
  const bytes = Buffer.alloc(4 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(number, 4 * i);
  return bytes;
}

function frame(type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

function readFrames(
  socket: TLSSocket,
  onFrame: (type: number, flags: number, id: number, payload: Buffer) => void,
): void {
  let pending = Buffer.alloc(0);
  let skip = PREFACE_BYTES;
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    const skipped = Math.min(skip, pending.length);
    skip -= skipped;
    pending = pending.subarray(skipped);
    while (skip === 0 && pending.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + pending.readUIntBE(0, 3);
      if (pending.length < end) return;
      const id = pending.readUInt32BE(5) & 0x7fff_ffff;
      onFrame(pending[3] as number, pending[4] as number, id, pending.subarray(FRAME_HEAD_BYTES, end));
      pending = pending.subarray(end);
    }
  });
}
