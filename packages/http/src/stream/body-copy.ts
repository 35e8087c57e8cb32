/** What becomes of a body that has been read to its end: its bytes, or undefined when they were too many. */
type Taker = (bytes: Uint8Array | undefined) => Promise<void>;

/**
 * A copy of a body, made while its reader reads it, for whoever has a use for all of it. Nobody waits for it, and of a body
 * that is too long, or comes to no good end, nothing is left.
 */
export class BodyCopy {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] | undefined = [];
  #size = 0;
  #taker: Taker | undefined = undefined;
  #end: (() => void) | undefined = undefined;
  /** Whether all of the body has come. */
  isComplete = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(piece: Uint8Array): void {
    this.#size += piece.length;
    if (this.#size > this.#maxBytes) this.#pieces = undefined;
    // The reader may do with his bytes what he likes.
    else this.#pieces?.push(new Uint8Array(piece));
  }

  /** The body has come to its end. Resolves when the copy has been taken; undefined when nobody wants it, so far. */
  complete(): Promise<void> | undefined {
    this.isComplete = true;
    return this.#taker === undefined ? undefined : this.#give(this.#taker);
  }

  /** The body broke off, or nobody reads it. */
  drop(): void {
    if (this.isComplete) return;
    this.#pieces = undefined;
    this.#taker = undefined;
    this.#end?.();
  }

  /** Has the copy given to `taker`. Resolves when that is done, or when there will be no copy. */
  take(taker: Taker): Promise<void> {
    if (this.isComplete) return this.#give(taker);
    this.#taker = taker;
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async #give(taker: Taker): Promise<void> {
    const pieces = this.#pieces;
    this.#pieces = undefined;
    await taker(pieces && Buffer.concat(pieces, this.#size));
    this.#end?.();
  }
}
