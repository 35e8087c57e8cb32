/** As many marks as there may be: 4 MiB of them. */
const MAX_MARKS = 2 ** 20;

/**
 * Tells whether a token came a short while ago, in four bytes for each and without keeping it ("TinyLFU", Einziger and
 * others, 2015). A later token may take the place of an earlier one; taken for one that came is one of some billions.
 */
export class Doorkeeper {
  readonly #marks: Uint32Array;

  /** Remembers about as many tokens as are given. */
  constructor(tokens: number) {
    this.#marks = new Uint32Array(Math.min(MAX_MARKS, 2 ** Math.ceil(Math.log2(2 * tokens))));
  }

  /** Whether the token of this digest, in bytes, came before. From now on it did. */
  comesAgain(digest: string): boolean {
    const place = bytesAt(digest, 0) & (this.#marks.length - 1);
    const mark = bytesAt(digest, 4) >>> 0;
    const again = this.#marks[place] === mark;
    this.#marks[place] = mark;
    return again;
  }
}

function bytesAt(digest: string, at: number): number {
  return (
    digest.charCodeAt(at) |
    (digest.charCodeAt(at + 1) << 8) |
    (digest.charCodeAt(at + 2) << 16) |
    (digest.charCodeAt(at + 3) << 24)
  );
}
