/** 4 MiB. */
const MAX_FINGERPRINTS = 2 ** 20;

/**
 * Remembers which tokens came recently, in four bytes each: the doorkeeper of TinyLFU (Einziger et al., 2015). A token
 * overwrites another one with the same index, which is then forgotten. A false positive has the odds of 1 in 2^32.
 */
export class Doorkeeper {
  readonly #fingerprints: Uint32Array;

  /** @param tokens - about how many tokens are remembered */
  constructor(tokens: number) {
    this.#fingerprints = new Uint32Array(Math.min(MAX_FINGERPRINTS, 2 ** Math.ceil(Math.log2(2 * tokens))));
  }

  /** Returns whether the token with this digest came before, and remembers it. */
  testAndSet(digest: string): boolean {
    const index = bytesAt(digest, 0) & (this.#fingerprints.length - 1);
    const fingerprint = bytesAt(digest, 4) >>> 0;
    const isKnown = this.#fingerprints[index] === fingerprint;
    this.#fingerprints[index] = fingerprint;
    return isKnown;
  }
}

function bytesAt(digest: string, offset: number): number {
  return (
    digest.charCodeAt(offset) |
    (digest.charCodeAt(offset + 1) << 8) |
    (digest.charCodeAt(offset + 2) << 16) |
    (digest.charCodeAt(offset + 3) << 24)
  );
}
