import type { Readable } from 'node:stream';
import { ReadableStream } from 'node:stream/web';

/**
 * A body as a web stream. `Readable.toWeb` does it too, at several times the cost: it takes pieces through the async
 * iterator's machinery. Not a byte stream, which would have to copy every piece, since it takes their memory away.
 */
export function webBody(body: Readable, signal?: AbortSignal): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        body.on('data', (piece: Uint8Array) => {
          controller.enqueue(piece);
          body.pause();
        });
        body.on('end', () => controller.close());
        // Who aborts may say anything for a reason, and is told just that.
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
    // What waits, waits in the body: that is where backpressure is.
    { highWaterMark: 0 },
  );
}
