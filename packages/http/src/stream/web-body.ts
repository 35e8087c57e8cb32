import type { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';

/**
 * A body as a web stream, at a fraction of the cost of `Readable.toWeb`, which reads through an async iterator. Not a byte stream:
 * that would transfer the memory of the chunks, so that each had to be copied.
 */
export function webBody(body: Readable, signal?: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.on('data', (chunk: Uint8Array) => {
          controller.enqueue(chunk);
          body.pause();
        });
        body.on('end', () => controller.close());
        // After an abort, the standard requires the reason of the signal, whatever it is.
        body.on('error', (error) => controller.error(signal?.aborted === true ? signal.reason : error));
        body.pause();
      },
      pull() {
        body.resume();
      },
      cancel(reason) {
        body.destroy(reason instanceof Error ? reason : undefined);
      },
    },
    // Buffers nothing here: the body has a buffer, and applies backpressure.
    { highWaterMark: 0 },
  );
}
