import { OptionsError, withheld } from '@macadam/core';
import { HttpStreamError } from './stream-error.ts';

/** A source of bytes or text to be parsed: the body of `stream()`, or any other async iterable. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/** Without a limit, a source without line breaks would be buffered until memory is exhausted. */
export const DEFAULT_MAX_LINE_BYTES = 1_048_576;

export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  /** False for text at the end of the source that no line break follows. */
  readonly ended: boolean;
}

/** Throws {@link OptionsError} unless `source` is an async iterable. */
export function assertByteSource(path: string, source: unknown): asserts source is ByteSource {
  if (typeof (source as Partial<ByteSource> | null | undefined)?.[Symbol.asyncIterator] === 'function') return;
  throw new OptionsError(path, withheld(source), 'the body of a stream, or another async iterable of bytes');
}

/**
 * Splits a UTF-8 text into lines, which end with CR, LF or both, also where the end is cut by a chunk boundary. Text after the
 * last end of line is yielded as a line with `ended: false`.
 *
 * @throws HttpStreamError (`MAC_HTTP_STREAM`) as soon as a line exceeds `maxBytes`
 */
export async function* linesOf(source: ByteSource, maxBytes: number): AsyncGenerator<Line, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  // The length of `rest`, kept as a sum: measuring `rest` again with each chunk would take quadratic time.
  let restBytes = 0;
  let number = 1;
  let afterCr = false;
  let hasStarted = false;
  for await (const chunk of source) {
    let text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    if (text === '') continue;
    // The decoder drops a byte order mark; text that the source decoded may still begin with one.
    if (!hasStarted && typeof chunk === 'string' && text.startsWith('\ufeff')) text = text.slice(1);
    hasStarted = true;
    // The LF of a CRLF that was split between two chunks.
    if (afterCr && text.startsWith('\n')) text = text.slice(1);
    afterCr = text.endsWith('\r');
    const segments = text.split(/\r\n|\r|\n/);
    for (const [i, segment] of segments.entries()) {
      rest += segment;
      restBytes += Buffer.byteLength(segment);
      if (restBytes > maxBytes) throw new HttpStreamError('tooLong', number, `is longer than ${maxBytes} bytes`);
      if (i === segments.length - 1) break;
      yield { text: rest, number, ended: true };
      number++;
      rest = '';
      restBytes = 0;
    }
  }
  rest += decoder.decode();
  if (rest !== '') yield { text: rest, number, ended: false };
}
