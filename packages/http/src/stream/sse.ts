import { assertInteger, assertKnownOptions, assertObject } from '@macadam/core';
import { DEFAULT_MAX_LINE_BYTES, linesOf, type ByteSource, type Line } from './lines.ts';
import { HttpStreamError } from './stream-error.ts';

/** One event of a `text/event-stream`. */
export interface ServerSentEvent {
  /** Its type. `message` unless the server says otherwise. */
  readonly event: string;
  readonly data: string;
  /** The last id that the server gave; an empty string before it did. For `Last-Event-ID` when connecting again. */
  readonly id: string;
  /** How long the server asks to wait before connecting again, in milliseconds, as it last said; no more than a timer holds. */
  readonly retryMs: number | undefined;
}

export interface SseOptions {
  /** Longest line, and most data of an event, in bytes, at least 1. Default: 1 048 576. */
  maxEventBytes?: number;
}

/**
 * The events of a stream (HTML standard, section 9.2.6). An event that the stream breaks off in is dropped, as the
 * standard has it. Connecting again is the caller's: `id` and `retryMs` say from where and when.
 *
 * @throws HttpStreamError (`MAC_HTTP_STREAM`) for an event above `maxEventBytes`
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
  const parser = new EventParser(maxEventBytes);
  for await (const line of linesOf(body, maxEventBytes)) {
    if (!line.ended) return;
    const event = parser.line(line);
    if (event !== undefined) yield event;
  }
}

/** What a timer holds. It would fire at once for more, and who waits by it would connect again and again. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** The standard's interpretation of lines. */
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

  line({ text, number }: Line): ServerSentEvent | undefined {
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
