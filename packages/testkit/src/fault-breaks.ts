import { once } from 'node:events';
import { assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import type { FaultExchange } from './fault-exchange.ts';
import type { Fault, FaultEffect } from './fault.ts';

/** Accepts the request, reads it, and never answers. The connection stays open. */
export function hang(): Fault {
  return {
    kind: 'hang',
    level: 'exchange',
    describe: () => 'never answers',
    apply: untilClosed,
  };
}

/** Ends the connection with a TCP RST before the first byte of the answer. */
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

/** Sends status and headers, then a TCP RST. */
export function resetAfterHeaders(): Fault {
  return {
    kind: 'resetAfterHeaders',
    level: 'exchange',
    describe: () => 'resets the connection after the headers',
    async apply(exchange) {
      await sendPart(exchange, 0);
      exchange.reset();
      return 'ended';
    },
  };
}

/** Where {@link resetMidBody} and {@link stallMidBody} stop. */
export interface PartOfBodyOptions {
  /** How many bytes of the body are sent first. Default: half of them. A body is never sent whole. */
  afterBytes?: number;
}

/** Sends the headers and the beginning of the body, then a TCP RST. */
export function resetMidBody(options: PartOfBodyOptions = {}): Fault {
  const afterBytes = partOfBody('resetMidBody', options);
  return {
    kind: 'resetMidBody',
    level: 'exchange',
    describe: () => `resets the connection ${describePart(afterBytes)}`,
    async apply(exchange) {
      await sendPart(exchange, afterBytes);
      exchange.reset();
      return 'ended';
    },
  };
}

/** Sends the headers and the beginning of the body, then nothing more. The connection stays open. */
export function stallMidBody(options: PartOfBodyOptions = {}): Fault {
  const afterBytes = partOfBody('stallMidBody', options);
  return {
    kind: 'stallMidBody',
    level: 'exchange',
    describe: () => `falls silent ${describePart(afterBytes)}`,
    async apply(exchange) {
      await sendPart(exchange, afterBytes);
      return untilClosed(exchange);
    },
  };
}

/** Answers with bytes that are not HTTP, then ends the connection. */
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
 * Closes a kept-alive connection at the moment the next request is sent on it: the stale keep-alive race, which a
 * client may only answer by sending the request again if that is safe. The first request of a connection is answered.
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
 * Reads nothing more and answers nothing. A new connection is accepted (by the kernel at least; a route that drops
 * packets cannot be made without privileges) and never read; one that is open is not read again.
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
 * The process is gone: open connections are reset and new ones refused by the kernel, until the rule no longer holds
 * and the server listens on the same port again. It takes a time window, but no share, request numbers or predicate.
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

function partOfBody(path: string, options: PartOfBodyOptions): number | undefined {
  assertObject(path, options);
  assertKnownOptions(path, options, ['afterBytes']);
  const { afterBytes } = options;
  if (afterBytes !== undefined) assertInteger(`${path}.afterBytes`, afterBytes, { min: 0 });
  return afterBytes;
}

function describePart(afterBytes: number | undefined): string {
  return afterBytes === undefined ? 'half-way through the body' : `after ${afterBytes} bytes of the body`;
}

/** Sends the headers and the first bytes of the body. At least one byte that the headers promise is held back. */
async function sendPart(exchange: FaultExchange, afterBytes: number | undefined): Promise<void> {
  const { status, headers, body } = await exchange.answer();
  const bytes = Math.min(afterBytes ?? body.byteLength >> 1, body.byteLength);
  const declared = Math.max(body.byteLength, bytes + 1);
  exchange.response.writeHead(status, { ...headers, 'content-length': String(declared) });
  exchange.response.flushHeaders();
  if (bytes > 0) exchange.response.write(body.subarray(0, bytes));
  await exchange.flush();
}
