/** Pools and transports that accept no new requests, until their requests in flight have ended. */
export class DrainingConnections {
  readonly #closings = new Set<Promise<void>>();

  /** @param closing - the promise of `close()`; must never reject */
  add(closing: Promise<void>): void {
    this.#closings.add(closing);
    void closing.then(() => this.#closings.delete(closing));
  }

  /** Resolves when everything that is draining now has closed. */
  async drained(): Promise<void> {
    await Promise.all(this.#closings);
  }
}
