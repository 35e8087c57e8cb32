/** A chunk below this is copied: a server may send a long body byte by byte, and an object for each takes far more memory. */
const SMALL_CHUNK_BYTES = 1_024;
const BLOCK_BYTES = 4_096;

/** Collects the chunks of a body in about as much memory as the body takes, however small its chunks are. */
export class ChunkList {
  readonly #chunks: Uint8Array[] = [];
  /** Where small chunks are copied to. What lies between the two positions is not yet in the list. */
  #block: Uint8Array | undefined = undefined;
  #from = 0;
  #to = 0;

  add(chunk: Uint8Array): void {
    if (chunk.length >= SMALL_CHUNK_BYTES) {
      this.#addCopied();
      this.#chunks.push(chunk);
      return;
    }
    if (this.#block === undefined || this.#block.length - this.#to < chunk.length) {
      this.#addCopied();
      this.#block = new Uint8Array(BLOCK_BYTES);
      this.#from = this.#to = 0;
    }
    this.#block.set(chunk, this.#to);
    this.#to += chunk.length;
  }

  /** @param size - the size of all chunks together */
  concat(size: number): Uint8Array {
    this.#addCopied();
    return Buffer.concat(this.#chunks, size);
  }

  #addCopied(): void {
    if (this.#to > this.#from) this.#chunks.push((this.#block as Uint8Array).subarray(this.#from, this.#to));
    this.#from = this.#to;
  }
}
