/** From this level on (`warn`), lines are the last to be dropped. */
const IMPORTANT = 3;

interface Entry {
  readonly line: string;
  readonly bytes: number;
  readonly order: number;
}

/**
 * Lines that wait, in order, within a limit of bytes, to which a line counts that is in other hands. When it is full the
 * oldest go, unimportant ones first.
 */
export class LineQueue {
  /** Of what waits, here or elsewhere. */
  bytes = 0;
  dropped = 0;
  readonly #maxBytes: number;
  readonly #plain: Entry[] = [];
  readonly #important: Entry[] = [];
  #plainHead = 0;
  #importantHead = 0;
  #order = 0;
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** How many lines wait here. */
  get length(): number {
    return this.#plain.length - this.#plainHead + this.#important.length - this.#importantHead;
  }

  /** Adds a line, and drops others or itself to make room. */
  push(line: string, level: number): void {
    const bytes = Buffer.byteLength(line);
    while (this.bytes + bytes > this.#maxBytes && this.#dropOldest(level));
    if (this.bytes + bytes > this.#maxBytes) {
      this.dropped++;
      return;
    }
    (level >= IMPORTANT ? this.#important : this.#plain).push({ line, bytes, order: this.#order++ });
    this.bytes += bytes;
  }

  /** So many bytes wait elsewhere, and no others do. */
  hold(bytes: number): void {
    this.bytes += bytes - this.#heldBytes;
    this.#heldBytes = bytes;
  }

  /** Takes the oldest line out. */
  shift(): string | undefined {
    const plain = this.#plain[this.#plainHead];
    const important = this.#important[this.#importantHead];
    if (plain !== undefined && (important === undefined || plain.order < important.order)) {
      return this.#takePlain()?.line;
    }
    return this.#takeImportant()?.line;
  }

  /** Drops everything. */
  clear(): void {
    while (this.shift() !== undefined) this.dropped++;
  }

  /** An unimportant line never takes the place of an important one. */
  #dropOldest(level: number): boolean {
    const entry = this.#takePlain() ?? (level >= IMPORTANT ? this.#takeImportant() : undefined);
    if (entry !== undefined) this.dropped++;
    return entry !== undefined;
  }

  #takePlain(): Entry | undefined {
    const entry = this.#plain[this.#plainHead];
    if (entry === undefined) return undefined;
    this.#plainHead = advance(this.#plain, this.#plainHead);
    this.bytes -= entry.bytes;
    return entry;
  }

  #takeImportant(): Entry | undefined {
    const entry = this.#important[this.#importantHead];
    if (entry === undefined) return undefined;
    this.#importantHead = advance(this.#important, this.#importantHead);
    this.bytes -= entry.bytes;
    return entry;
  }
}

/** Moves the head over one entry; gives the room back when half of the list is behind it. */
function advance(list: Entry[], head: number): number {
  const next = head + 1;
  if (next < 1_024 && next < list.length) return next;
  if (next * 2 < list.length) return next;
  list.splice(0, next);
  return 0;
}
