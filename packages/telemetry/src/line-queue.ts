/** The index of `warn` in `levels`. Lines from this level on are dropped last. */
const WARN = 3;

interface Entry {
  readonly line: string;
  readonly bytes: number;
  readonly order: number;
}

/**
 * The backlog of a sink: lines in order, up to a limit of bytes. The limit includes the line that the output holds. When
 * the queue is full it drops the oldest line below `warn`; only if there is none, and the new line is `warn` or above,
 * the oldest of the others.
 */
export class LineQueue {
  /** Bytes of all waiting lines, including the one that the output holds. */
  bytes = 0;
  dropped = 0;
  readonly #maxBytes: number;
  readonly #lowPriority: Entry[] = [];
  readonly #highPriority: Entry[] = [];
  #lowPriorityHead = 0;
  #highPriorityHead = 0;
  #order = 0;
  #outputBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** The number of lines in the queue, without the one that the output holds. */
  get length(): number {
    return this.#lowPriority.length - this.#lowPriorityHead + this.#highPriority.length - this.#highPriorityHead;
  }

  /** Adds a line. Drops older lines to make room, or the new line if that is not enough. */
  push(line: string, level: number): void {
    const bytes = Buffer.byteLength(line);
    while (this.bytes + bytes > this.#maxBytes && this.#dropOldest(level));
    if (this.bytes + bytes > this.#maxBytes) {
      this.dropped++;
      return;
    }
    (level >= WARN ? this.#highPriority : this.#lowPriority).push({ line, bytes, order: this.#order++ });
    this.bytes += bytes;
  }

  /** Sets the number of bytes that the output holds, which count towards the limit. */
  setOutputBytes(bytes: number): void {
    this.bytes += bytes - this.#outputBytes;
    this.#outputBytes = bytes;
  }

  /** Removes and returns the oldest line. */
  shift(): string | undefined {
    const low = this.#lowPriority[this.#lowPriorityHead];
    const high = this.#highPriority[this.#highPriorityHead];
    if (low !== undefined && (high === undefined || low.order < high.order)) {
      return this.#takeLowPriority()?.line;
    }
    return this.#takeHighPriority()?.line;
  }

  /** Drops all lines. */
  clear(): void {
    while (this.shift() !== undefined) this.dropped++;
  }

  /** Drops the oldest line that may make room for a line of `level`; false if there is none. */
  #dropOldest(level: number): boolean {
    const entry = this.#takeLowPriority() ?? (level >= WARN ? this.#takeHighPriority() : undefined);
    if (entry !== undefined) this.dropped++;
    return entry !== undefined;
  }

  #takeLowPriority(): Entry | undefined {
    const entry = this.#lowPriority[this.#lowPriorityHead];
    if (entry === undefined) return undefined;
    this.#lowPriorityHead = advance(this.#lowPriority, this.#lowPriorityHead);
    this.bytes -= entry.bytes;
    return entry;
  }

  #takeHighPriority(): Entry | undefined {
    const entry = this.#highPriority[this.#highPriorityHead];
    if (entry === undefined) return undefined;
    this.#highPriorityHead = advance(this.#highPriority, this.#highPriorityHead);
    this.bytes -= entry.bytes;
    return entry;
  }
}

/** Moves the head past one entry. Frees the entries before it once they are half of the list. */
function advance(list: Entry[], head: number): number {
  const next = head + 1;
  if (next < 1_024 && next < list.length) return next;
  if (next * 2 < list.length) return next;
  list.splice(0, next);
  return 0;
}
