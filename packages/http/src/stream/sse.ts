import { assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import { assertByteSource, DEFAULT_MAX_LINE_BYTES, linesOf, type ByteSource, type Line } from './lines.ts';
import { HttpStreamError } from './stream-error.ts';

/** One event of a `text/event-stream` (HTML standard, section 9.2). */
export interface ServerSentEvent {
  /** The type of the event; `message` unless the server sets another. */
  readonly event: string;
  /** The data of the event, with its lines joined by line feeds. */
  readonly data: string;
  /** The last event id so far, to be sent as `Last-Event-ID` when reconnecting; an empty string if there was none. */
  readonly id: string;
  /** The last reconnection time so far, in milliseconds, at most 2 147 483 647; undefined if there was none. */
  readonly retryMs: number | undefined;
}

/** Options of {@link sse}. */
export interface SseOptions {
  /** Maximum length of a line, and of the data of an event, in bytes, at least 1. Default: 1 048 576 (1 MiB). */
  maxEventBytes?: number;
}

/**
 * Parses a stream of server-sent events (HTML standard, section 9.2.6). An incomplete event at the end of the stream is dropped, as
 * the standard requires. Reconnecting is up to the caller; `id` and `retryMs` say from where and when.
 *
 * @param body - the body of `stream()`, or any async iterable of bytes or text
 * @throws HttpStreamError (`MAC_HTTP_STREAM`) for an event above `maxEventBytes`.
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong argument. Both are thrown by the first `next()` concerned.
 * @example
 * ```ts
 * import { Readable } from 'node:stream';
 * import { sse } from '@macadam/http';
 *
 * for await (const { event, data } of sse(Readable.from(['event: tick\ndata: 1\n\n']))) console.log(event, data);
 * ```
 */
export async function* sse(
  body: ByteSource,
  options: SseOptions = {},
): AsyncGenerator<ServerSentEvent, void, undefined> {
  assertObject('sse', options);
  assertKnownOptions('sse', options, ['maxEventBytes']);
  const { maxEventBytes = DEFAULT_MAX_LINE_BYTES } = options;
  assertInteger('sse.maxEventBytes', maxEventBytes, { min: 1 });
  assertByteSource('sse.body', body);
  const parser = new EventParser(maxEventBytes);
  for await (const line of linesOf(body, maxEventBytes)) {
    if (!line.ended) return;
    const event = parser.parseLine(line);
    if (event !== undefined) yield event;
  }
}

/** The longest delay of a Node.js timer. A longer one fires at once, so callers would reconnect in a tight loop. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** Interprets lines as the HTML standard does (section 9.2.6). */
class EventParser {
  readonly #maxBytes: number;
  #event = '';
  #data: string[] = [];
  #bytes = 0;
  #id = '';
  #retryMs: number | undefined = undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  parseLine({ text, number }: Line): ServerSentEvent | undefined {
    if (text === '') return this.#dispatch();
    const colon = text.indexOf(':');
    if (colon === 0) return undefined;
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(text[colon + 1] === ' ' ? colon + 2 : colon + 1);
    this.#field(name, value, number);
    return undefined;
  }

  #field(name: string, value: string, line: number): void {
    if (name === 'event') this.#event = value;
    else if (name === 'data') {
      this.#bytes += Buffer.byteLength(value) + 1;
      if (this.#bytes > this.#maxBytes + 1)
        throw new HttpStreamError('tooLong', line, `makes an event longer than ${this.#maxBytes} bytes`);
      this.#data.push(value);
    } else if (name === 'id') {
      if (!value.includes('\0')) this.#id = value;
    } else if (name === 'retry' && /^\d+$/.test(value)) this.#retryMs = Math.min(Number(value), LONGEST_TIMER_MS);
  }

  #dispatch(): ServerSentEvent | undefined {
    const [event, data] = [this.#event, this.#data];
    this.#event = '';
    this.#data = [];
    this.#bytes = 0;
    if (data.length === 0) return undefined;
    return { event: event === '' ? 'message' : event, data: data.join('\n'), id: this.#id, retryMs: this.#retryMs };
  }
}
