import { ChunkList } from '../chunk-list.ts';

/** Receives the copy of a body that was read to its end; undefined if the body was too long. */
type CopyConsumer = (bytes: Uint8Array | undefined) => Promise<void>;

/**
 * A copy of a body, made while the caller reads the body. The HTTP cache stores it: the reader gets the end of the body when that
 * is done, or has taken too long. The copy of a body that is too long, breaks off or is not read to its end is discarded.
 */
export class BodyCopy {
  readonly #maxBytes: number;
  #chunks: ChunkList | undefined = new ChunkList();
  #size = 0;
  #consumer: CopyConsumer | undefined = undefined;
  #onDone: (() => void) | undefined = undefined;
  #isDiscarded = false;
  /** Whether the body was received completely. */
  isComplete = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(chunk: Uint8Array): void {
    this.#size += chunk.length;
    if (this.#size > this.#maxBytes) this.#chunks = undefined;
    // Copied, because the reader may change the bytes.
    else this.#chunks?.add(new Uint8Array(chunk));
  }

  /** Call at the end of the body. Resolves when the copy has been consumed; undefined if there is no consumer yet. */
  complete(): Promise<void> | undefined {
    this.isComplete = true;
    return this.#consumer === undefined ? undefined : this.#give(this.#consumer);
  }

  /** Discards the copy of a body that broke off or is not read. */
  discard(): void {
    if (this.isComplete) return;
    this.#isDiscarded = true;
    this.#chunks = undefined;
    this.#consumer = undefined;
    this.#onDone?.();
  }

  /** Passes the copy to `consumer` once it is complete. Resolves when that is done, or when there will be no copy. */
  consume(consumer: CopyConsumer): Promise<void> {
    if (this.isComplete) return this.#give(consumer);
    if (this.#isDiscarded) return Promise.resolve();
    this.#consumer = consumer;
    return new Promise((resolve) => {
      this.#onDone = resolve;
    });
  }

  async #give(consumer: CopyConsumer): Promise<void> {
    const chunks = this.#chunks;
    this.#chunks = undefined;
    await consumer(chunks?.concat(this.#size));
    this.#onDone?.();
  }
}
