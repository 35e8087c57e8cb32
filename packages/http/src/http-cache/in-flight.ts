interface Loads {
  count: number;
  outdated: boolean;
}

/** A load under way. */
export interface Load {
  /** Whether something has changed since it began. */
  isOutdated(): boolean;
  /** Has it end no earlier than what it brought is put away. */
  lastsFor(put: Promise<void>): void;
  end(): void;
}

/** Loads under way, so that one that began before an invalidation cannot bring back what was invalidated. */
export class InFlight {
  readonly #loads = new Map<string, Loads>();

  /** Begins a load; what it returns tells, and ends it. */
  begin(url: string): Load {
    let loads = this.#loads.get(url);
    if (loads === undefined) {
      loads = { count: 0, outdated: false };
      this.#loads.set(url, loads);
    }
    const mine = loads;
    mine.count++;
    const end = (): void => {
      mine.count--;
      if (mine.count === 0 && this.#loads.get(url) === mine) this.#loads.delete(url);
    };
    return {
      isOutdated: () => mine.outdated,
      lastsFor(put) {
        mine.count++;
        void put.finally(end);
      },
      end,
    };
  }

  outdate(url: string): void {
    const loads = this.#loads.get(url);
    if (loads === undefined) return;
    loads.outdated = true;
    this.#loads.delete(url);
  }
}
