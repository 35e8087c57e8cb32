import { constants, createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { assertDurationMs, assertInteger, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import { assertDistribution, fixed, type Distribution } from './distribution.ts';
import { toWireAnswer, type FaultAnswer } from './fault-exchange.ts';
import type { Fault } from './fault.ts';

/** Waits before whatever follows: combine it with other faults, or alone for a slow but healthy answer. */
export function latency(distribution: Distribution): Fault {
  assertDistribution('latency.distribution', distribution);
  return {
    kind: 'latency',
    level: 'exchange',
    describe: () => `waits ${distribution.describe()}`,
    async apply(exchange) {
      await exchange.sleep(distribution.sample(exchange.random));
      return 'continued';
    },
  };
}

/** `latency(fixed(ms))`. */
export function slow(ms: number): Fault {
  return latency(fixed(ms));
}

/** The answer of {@link respond}. */
export interface RespondOptions extends Omit<FaultAnswer, 'status'> {
  /** The Retry-After header: a number of seconds, a date, or any text as it is, for values that no client expects. */
  retryAfter?: number | Date | string;
}

/**
 * Answers with this status instead of the healthy answer: a 503 storm, or a 429 with Retry-After.
 *
 * @example
 * respond(429, { retryAfter: 2 });
 */
export function respond(status: number, options: RespondOptions = {}): Fault {
  assertInteger('respond.status', status, { min: 200, max: 599 });
  assertObject('respond', options);
  assertKnownOptions('respond', options, ['retryAfter', 'headers', 'json', 'text', 'body']);
  const { retryAfter, ...answer } = options;
  const headers = retryAfter === undefined ? {} : { 'retry-after': formatRetryAfter(retryAfter) };
  const wire = toWireAnswer({ ...answer, status, headers: { ...headers, ...answer.headers } }, 'respond');
  return {
    kind: 'respond',
    level: 'exchange',
    describe: () => `answers ${status}${retryAfter === undefined ? '' : ` with Retry-After ${headers['retry-after']}`}`,
    async apply(exchange) {
      await exchange.send(wire);
      return 'ended';
    },
  };
}

/** The pace of {@link trickle}. */
export interface TrickleOptions {
  /** Default: 1. */
  bytesPerChunk?: number;
  /** The pause before each chunk, in milliseconds. */
  everyMs: number;
}

/** Sends the headers at once and the body a few bytes at a time: defeats every timeout that restarts with each byte. */
export function trickle(options: TrickleOptions): Fault {
  assertObject('trickle', options);
  assertKnownOptions('trickle', options, ['bytesPerChunk', 'everyMs']);
  const { bytesPerChunk = 1, everyMs } = options;
  assertInteger('trickle.bytesPerChunk', bytesPerChunk, { min: 1 });
  assertDurationMs('trickle.everyMs', everyMs);
  return {
    kind: 'trickle',
    level: 'exchange',
    describe: () => `sends ${bytesPerChunk} bytes of body every ${everyMs} ms`,
    async apply(exchange) {
      const { status, headers, body } = await exchange.answer();
      exchange.response.writeHead(status, { ...headers, 'content-length': String(body.byteLength) });
      exchange.response.flushHeaders();
      for (let sent = 0; sent < body.byteLength; sent += bytesPerChunk) {
        await exchange.sleep(everyMs);
        exchange.response.write(body.subarray(sent, sent + bytesPerChunk));
      }
      exchange.response.end();
      return 'ended';
    },
  };
}

/** The lie of {@link wrongContentLength}. */
export interface WrongContentLengthOptions {
  /** What the header says, in bytes, whatever the body is. */
  declared: number;
}

/**
 * Lies about the length of the body. Declared too long, the connection ends before the body is whole; declared too
 * short, bytes that belong to nothing follow the answer.
 */
export function wrongContentLength(options: WrongContentLengthOptions): Fault {
  assertObject('wrongContentLength', options);
  assertKnownOptions('wrongContentLength', options, ['declared']);
  const { declared } = options;
  assertInteger('wrongContentLength.declared', declared, { min: 0 });
  return {
    kind: 'wrongContentLength',
    level: 'exchange',
    describe: () => `declares a body of ${declared} bytes, whatever it sends`,
    async apply(exchange) {
      const answer = await exchange.answer();
      exchange.response.writeHead(answer.status, { ...answer.headers, 'content-length': String(declared) });
      exchange.response.write(answer.body);
      await exchange.flush();
      exchange.close();
      return 'ended';
    },
  };
}

/** The size of a {@link gzipBomb}. */
export interface GzipBombOptions {
  /** How large the body is once decoded, in bytes. About a thousandth of it is sent. */
  decodedBytes: number;
}

const BOMB_BLOCK_BYTES = 65_536;

/** Answers 200 with a small gzip body that decodes to very many zeros. Made while it is sent: costs no memory here. */
export function gzipBomb(options: GzipBombOptions): Fault {
  assertObject('gzipBomb', options);
  assertKnownOptions('gzipBomb', options, ['decodedBytes']);
  const { decodedBytes } = options;
  assertInteger('gzipBomb.decodedBytes', decodedBytes, { min: 1 });
  return {
    kind: 'gzipBomb',
    level: 'exchange',
    describe: () => `answers with gzip that decodes to ${decodedBytes} bytes`,
    async apply(exchange) {
      exchange.response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-encoding': 'gzip' });
      const gzip = createGzip({ level: constants.Z_BEST_COMPRESSION });
      // A client that defends itself hangs up half-way, which is no concern of ours.
      await pipeline(Readable.from(zeros(decodedBytes)), gzip, exchange.response).catch(() => undefined);
      return 'ended';
    },
  };
}

function* zeros(bytes: number): Generator<Uint8Array> {
  const block = new Uint8Array(Math.min(bytes, BOMB_BLOCK_BYTES));
  let left = bytes;
  for (; left > block.length; left -= block.length) yield block;
  yield block.subarray(0, left);
}

function formatRetryAfter(retryAfter: number | Date | string): string {
  if (typeof retryAfter === 'string') return retryAfter;
  const value = Number(retryAfter);
  if (!(value >= 0 && value < Infinity)) {
    throw new OptionsError('respond.retryAfter', retryAfter, 'a number of seconds of at least 0, a date or a text');
  }
  return retryAfter instanceof Date ? retryAfter.toUTCString() : String(retryAfter);
}
