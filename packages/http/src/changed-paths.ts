interface PathState {
  inFlight: number;
  changes: number;
}

/**
 * Counts the unsafe requests to a path (without its query) while reads of that path are in flight. A read that starts after a
 * change must not share one that started before it.
 */
export class ChangedPaths {
  readonly #paths = new Map<string, PathState>();

  /** Starts counting for a read in flight. Call the result when the read has ended. */
  trackRead(url: string): () => void {
    const path = withoutQuery(url);
    const entry = this.#paths.get(path) ?? { inFlight: 0, changes: 0 };
    entry.inFlight++;
    this.#paths.set(path, entry);
    return () => {
      if (--entry.inFlight === 0) this.#paths.delete(path);
    };
  }

  recordChange(url: string): void {
    const entry = this.#paths.get(withoutQuery(url));
    if (entry !== undefined) entry.changes++;
  }

  /** The number of changes since the first of the reads in flight began. */
  changeCount(url: string): number {
    return this.#paths.get(withoutQuery(url))?.changes ?? 0;
  }
}

function withoutQuery(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}
