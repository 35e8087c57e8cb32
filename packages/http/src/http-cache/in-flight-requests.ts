interface UrlRequests {
  count: number;
  isInvalidated: boolean;
}

/** A request to the origin whose response is not stored yet. */
export interface InFlightRequest {
  /** Whether its URL was invalidated after it began: its response must not be stored. */
  isInvalidated(): boolean;
  /** Keeps the request in flight until a write to the store is done. */
  extendUntil(write: Promise<void>): void;
  end(): void;
}

/**
 * Requests in flight, by target URL. A response that was requested before an invalidation and arrives after it may show
 * the state before the change; it must not be stored.
 */
export class InFlightRequests {
  readonly #byUrl = new Map<string, UrlRequests>();

  begin(url: string): InFlightRequest {
    let requests = this.#byUrl.get(url);
    if (requests === undefined) {
      requests = { count: 0, isInvalidated: false };
      this.#byUrl.set(url, requests);
    }
    const own = requests;
    own.count++;
    const end = (): void => {
      own.count--;
      if (own.count === 0 && this.#byUrl.get(url) === own) this.#byUrl.delete(url);
    };
    return {
      isInvalidated: () => own.isInvalidated,
      extendUntil(write) {
        own.count++;
        void write.finally(end);
      },
      end,
    };
  }

  /** Invalidates the requests that are in flight now, not later ones. */
  invalidate(url: string): void {
    const requests = this.#byUrl.get(url);
    if (requests === undefined) return;
    requests.isInvalidated = true;
    this.#byUrl.delete(url);
  }
}
