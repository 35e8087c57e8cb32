interface WaitingWrite {
  readonly tags: readonly string[];
  isEnded: boolean;
}

/**
 * Writes whose place among the tag marks of the tier is not decided yet, because the marks are still being read. A mark
 * that this process makes meanwhile would get a place before such a write, although it was asked for after it.
 */
export class WaitingWrites {
  readonly #writes = new Set<WaitingWrite>();

  /** Waits for the marks. Returns whether the value may still be stored: nothing has ended it in the meantime. */
  async wait(tags: readonly string[], synced: Promise<boolean> | boolean): Promise<boolean> {
    const write: WaitingWrite = { tags, isEnded: false };
    this.#writes.add(write);
    await synced;
    this.#writes.delete(write);
    return !write.isEnded;
  }

  endTags(tags: readonly string[]): void {
    for (const write of this.#writes) if (write.tags.some((tag) => tags.includes(tag))) write.isEnded = true;
  }

  endAll(): void {
    for (const write of this.#writes) write.isEnded = true;
  }
}
