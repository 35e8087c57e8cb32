import { once } from 'node:events';
import { assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import type { FaultExchange } from './fault-exchange.ts';
import type { Fault, FaultEffect } from './fault.ts';

/** Reads the request and never answers. The connection stays open. */
export function hang(): Fault {
  return {
    kind: 'hang',
    level: 'exchange',
    describe: () => 'never answers',
    apply: untilClosed,
  };
}

/** Resets the connection (TCP RST) before the first byte of the response. */
export function resetBeforeHeaders(): Fault {
  return {
    kind: 'resetBeforeHeaders',
    level: 'exchange',
    describe: () => 'resets the connection instead of answering',
    async apply(exchange) {
      exchange.reset();
      return 'ended';
    },
  };
}

/** Sends status and headers, then resets the connection (TCP RST). */
export function resetAfterHeaders(): Fault {
  return {
    kind: 'resetAfterHeaders',
    level: 'exchange',
    describe: () => 'resets the connection after the headers',
    async apply(exchange) {
      await sendPartOfBody(exchange, 0);
      exchange.reset();
      return 'ended';
    },
  };
}

/** Options of {@link resetMidBody} and {@link stallMidBody}. */
export interface PartOfBodyOptions {
  /** Bytes of the body to send first; at least one is always held back. Default: half of the body. */
  afterBytes?: number;
}

/** Sends the headers and part of the body, then resets the connection (TCP RST). */
export function resetMidBody(options: PartOfBodyOptions = {}): Fault {
  const afterBytes = parseAfterBytes('resetMidBody', options);
  return {
    kind: 'resetMidBody',
    level: 'exchange',
    describe: () => `resets the connection ${describeAfterBytes(afterBytes)}`,
    async apply(exchange) {
      await sendPartOfBody(exchange, afterBytes);
      exchange.reset();
      return 'ended';
    },
  };
}

/** Sends the headers and part of the body, then nothing more. The connection stays open. */
export function stallMidBody(options: PartOfBodyOptions = {}): Fault {
  const afterBytes = parseAfterBytes('stallMidBody', options);
  return {
    kind: 'stallMidBody',
    level: 'exchange',
    describe: () => `falls silent ${describeAfterBytes(afterBytes)}`,
    async apply(exchange) {
      await sendPartOfBody(exchange, afterBytes);
      return untilClosed(exchange);
    },
  };
}

/** Answers with bytes that are not HTTP, then closes the connection. */
export function garbage(bytes: string | Uint8Array = '\u0016\u0003\u0001 this is not HTTP\r\n\r\n'): Fault {
  return {
    kind: 'garbage',
    level: 'exchange',
    describe: () => 'answers with bytes that are not HTTP',
    async apply(exchange) {
      exchange.socket.write(bytes);
      await exchange.flush();
      exchange.close();
      return 'ended';
    },
  };
}

/**
 * Closes a kept-alive connection when the next request is sent on it: the keep-alive race, after which a client may only repeat the
 * request if that is safe. The first request on a connection is answered.
 */
export function closeKeepAlive(): Fault {
  return {
    kind: 'closeKeepAlive',
    level: 'exchange',
    describe: () => 'closes a kept-alive connection when the next request arrives on it',
    appliesTo: (exchange) => exchange.reusedConnection,
    async apply(exchange) {
      exchange.close();
      return 'ended';
    },
  };
}

/**
 * Reads and answers nothing. New connections are accepted by the kernel and never read; open ones are not read any further.
 */
export function blackHole(): Fault {
  return {
    kind: 'blackHole',
    level: 'connection',
    describe: () => 'reads nothing and answers nothing',
    async apply(exchange) {
      exchange.socket.pause();
      return untilClosed(exchange);
    },
  };
}

/**
 * Acts like a process that is gone: open connections are reset and new ones refused, until the rule no longer applies and the server
 * listens on the same port again. Its rule may have a time window, but no share, request numbers or predicate.
 */
export function refuse(): Fault {
  return {
    kind: 'refuse',
    level: 'listener',
    describe: () => 'refuses connections',
    async apply(exchange) {
      exchange.reset();
      return 'ended';
    },
  };
}

async function untilClosed(exchange: FaultExchange): Promise<FaultEffect> {
  if (!exchange.signal.aborted) await once(exchange.signal, 'abort');
  return 'ended';
}

function parseAfterBytes(path: string, options: PartOfBodyOptions): number | undefined {
  assertObject(path, options);
  assertKnownOptions(path, options, ['afterBytes']);
  const { afterBytes } = options;
  if (afterBytes !== undefined) assertInteger(`${path}.afterBytes`, afterBytes, { min: 0 });
  return afterBytes;
}

function describeAfterBytes(afterBytes: number | undefined): string {
  return afterBytes === undefined ? 'half-way through the body' : `after ${afterBytes} bytes of the body`;
}

/** Sends the headers and the first bytes of the body. At least one byte of the declared length is held back. */
async function sendPartOfBody(exchange: FaultExchange, afterBytes: number | undefined): Promise<void> {
  const { status, headers, body } = await exchange.answer();
  const bytes = Math.min(afterBytes ?? body.byteLength >> 1, body.byteLength);
  const declared = Math.max(body.byteLength, bytes + 1);
  exchange.response.writeHead(status, { ...headers, 'content-length': String(declared) });
  exchange.response.flushHeaders();
  if (bytes > 0) exchange.response.write(body.subarray(0, bytes));
  await exchange.flush();
}
