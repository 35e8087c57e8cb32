import { constants, createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { assertDurationMs, assertInteger, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import { assertDistribution, fixed, type Distribution } from './distribution.ts';
import { lengthHeader, toWireResponse, type FaultResponse } from './wire-response.ts';
import type { Fault } from './fault.ts';

/** Delays what follows: the healthy response, or further faults of the same rule. */
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

/** Delays what follows by `ms` milliseconds; short for `latency(fixed(ms))`. */
export function slow(ms: number): Fault {
  return latency(fixed(ms));
}

/** Options of {@link respond}: the response, and `retryAfter`. */
export interface RespondOptions extends Omit<FaultResponse, 'status'> {
  /** The `Retry-After` header: a number of seconds, a date, or any text as it is. Default: none. */
  retryAfter?: number | Date | string;
}

/**
 * Answers with `status` (200 to 599) instead of the healthy response, such as 503, or 429 with `Retry-After`.
 *
 * @example
 * respond(429, { retryAfter: 2 });
 */
export function respond(status: number, options: RespondOptions = {}): Fault {
  assertInteger('respond.status', status, { min: 200, max: 599 });
  assertObject('respond', options);
  assertKnownOptions('respond', options, ['retryAfter', 'headers', 'json', 'text', 'body']);
  const { retryAfter, ...response } = options;
  const headers = retryAfter === undefined ? {} : { 'retry-after': formatRetryAfter(retryAfter) };
  const wire = toWireResponse({ ...response, status, headers: { ...headers, ...response.headers } }, 'respond');
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

/** Options of {@link trickle}. */
export interface TrickleOptions {
  /** Bytes per chunk, at least 1. Default: 1. */
  bytesPerChunk?: number;
  /** The pause before each chunk in milliseconds, above 0. Required. */
  everyMs: number;
}

/** Sends the headers at once and the body a few bytes at a time, which defeats timeouts that restart with each byte. */
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
      const answer = await exchange.answer();
      const { status, headers, body } = answer;
      exchange.response.writeHead(status, { ...headers, ...lengthHeader(answer) });
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

/** Options of {@link wrongContentLength}. */
export interface WrongContentLengthOptions {
  /** The value of `Content-Length`, at least 0, whatever the size of the body. Required. */
  declared: number;
}

/**
 * Sends a wrong `Content-Length`. If it is too large, the connection ends before the body is complete; if it is too small, excess bytes
 * follow the response.
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
      const healthy = await exchange.answer();
      exchange.response.writeHead(healthy.status, { ...healthy.headers, 'content-length': String(declared) });
      exchange.response.write(healthy.body);
      await exchange.flush();
      exchange.close();
      return 'ended';
    },
  };
}

/** Options of {@link gzipBomb}. */
export interface GzipBombOptions {
  /** The size of the decoded body in bytes, at least 1; about a thousandth of it is sent. Required. */
  decodedBytes: number;
}

const BOMB_BLOCK_BYTES = 65_536;

/** Answers 200 with a small gzip body that decodes to `decodedBytes` zeros. It is generated while it is sent. */
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
      // A client that limits the body disconnects before its end. That is the expected outcome, and no error.
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
    throw new OptionsError('respond.retryAfter', retryAfter, 'a number of seconds of at least 0, a date or a string');
  }
  return retryAfter instanceof Date ? retryAfter.toUTCString() : String(retryAfter);
}
