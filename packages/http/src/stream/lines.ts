import { OptionsError, withheld } from '@macadam/core';
import { HttpStreamError } from './stream-error.ts';

/** A source of bytes or text to be parsed: the body of `stream()`, or any other async iterable. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/** A line longer than this is no line; it would be collected until the memory is full. */
export const DEFAULT_MAX_LINE_BYTES = 1_048_576;

export interface Line {
  readonly text: string;
  /** Counted from 1. */
  readonly number: number;
  readonly ended: boolean;
}

/** Throws {@link OptionsError} unless `source` can be read piece by piece. */
export function assertByteSource(path: string, source: unknown): asserts source is ByteSource {
  if (typeof (source as Partial<ByteSource> | null | undefined)?.[Symbol.asyncIterator] === 'function') return;
  throw new OptionsError(path, withheld(source), 'the body of a stream, or another async iterable of bytes');
}

/**
 * The lines of a UTF-8 text, without their ends: CR, LF or both, wherever the pieces were cut. What follows the last end
 * of line comes as a line with `ended: false`.
 *
 * @throws HttpStreamError (`MAC_HTTP_STREAM`) for a line above `maxBytes`, as soon as it is
 */
export async function* linesOf(source: ByteSource, maxBytes: number): AsyncGenerator<Line, void, undefined> {
  const decoder = new TextDecoder();
  let rest = '';
  // Of the rest, summed up: to measure it as a whole with each piece would take the square of its length.
  let restBytes = 0;
  let number = 1;
  let afterCr = false;
  let begun = false;
  for await (const piece of source) {
    let text = typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
    if (text === '') continue;
    // The decoder drops the mark of bytes; of text, which was decoded elsewhere, it may be there still.
    if (!begun && typeof piece === 'string' && text.startsWith('\ufeff')) text = text.slice(1);
    begun = true;
    // The LF of a CRLF that was cut in two.
    if (afterCr && text.startsWith('\n')) text = text.slice(1);
    afterCr = text.endsWith('\r');
    const parts = text.split(/\r\n|\r|\n/);
    for (const [i, part] of parts.entries()) {
      rest += part;
      restBytes += Buffer.byteLength(part);
      if (restBytes > maxBytes) throw new HttpStreamError('tooLong', number, `is longer than ${maxBytes} bytes`);
      if (i === parts.length - 1) break;
      yield { text: rest, number, ended: true };
      number++;
      rest = '';
      restBytes = 0;
    }
  }
  rest += decoder.decode();
  if (rest !== '') yield { text: rest, number, ended: false };
}
