import { OptionsError } from '@macadam/core';

/** What can be read line by line: the body of a stream, or of anything else that gives bytes. */
export type ByteSource = AsyncIterable<Uint8Array | string>;

/** A line longer than this is no line; it would be collected until the memory is full. */
export const DEFAULT_MAX_LINE_BYTES = 1_048_576;

/**
 * The lines of a UTF-8 text, without their ends: CR, LF or both, wherever the pieces were cut. What follows the last end
 * of line comes as a line with `ended: false`.
 *
 * @throws RangeError for a line above `maxBytes`, as soon as it is
 */
export async function* linesOf(
  source: ByteSource,
  maxBytes: number,
): AsyncGenerator<{ readonly text: string; readonly ended: boolean }, void, undefined> {
  if (typeof source?.[Symbol.asyncIterator] !== 'function') {
    throw new OptionsError('body', source, 'the body of a stream, or another async iterable of bytes');
  }
  const decoder = new TextDecoder();
  let rest = '';
  let afterCr = false;
  for await (const piece of source) {
    let text = typeof piece === 'string' ? piece : decoder.decode(piece, { stream: true });
    if (text === '') continue;
    // The LF of a CRLF that was cut in two.
    if (afterCr && text.startsWith('\n')) text = text.slice(1);
    afterCr = text.endsWith('\r');
    const parts = text.split(/\r\n|\r|\n/);
    parts[0] = rest + (parts[0] as string);
    rest = parts.pop() as string;
    for (const line of parts) {
      assertLength(line, maxBytes);
      yield { text: line, ended: true };
    }
    assertLength(rest, maxBytes);
  }
  rest += decoder.decode();
  if (rest !== '') yield { text: rest, ended: false };
}

function assertLength(line: string, maxBytes: number): void {
  // A character is one byte at least: most lines are cleared without being measured.
  if (line.length * 3 <= maxBytes || Buffer.byteLength(line) <= maxBytes) return;
  throw new RangeError(`A line of the stream is longer than ${maxBytes} bytes`);
}
