interface Path {
  inFlight: number;
  changes: number;
}

/** How often what lies at a path may have changed while requests for it are in flight. A query is no part of a path here. */
export class ChangedPaths {
  readonly #paths = new Map<string, Path>();

  /** A request begins. What it returns ends it. */
  begin(url: string): () => void {
    const path = withoutQuery(url);
    const entry = this.#paths.get(path) ?? { inFlight: 0, changes: 0 };
    entry.inFlight++;
    this.#paths.set(path, entry);
    return () => {
      if (--entry.inFlight === 0) this.#paths.delete(path);
    };
  }

  change(url: string): void {
    const entry = this.#paths.get(withoutQuery(url));
    if (entry !== undefined) entry.changes++;
  }

  /** Since the first of the requests in flight began. */
  changes(url: string): number {
    return this.#paths.get(withoutQuery(url))?.changes ?? 0;
  }
}

function withoutQuery(url: string): string {
  const at = url.indexOf('?');
  return at < 0 ? url : url.slice(0, at);
}
