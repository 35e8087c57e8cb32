/** Connections that take nothing new, until what was in flight on them has ended. */
export class Leaving {
  readonly #closings = new Set<Promise<void>>();

  /** @param closing - never rejects */
  add(closing: Promise<void>): void {
    this.#closings.add(closing);
    void closing.then(() => this.#closings.delete(closing));
  }

  /** All that are leaving now have gone. */
  async ended(): Promise<void> {
    await Promise.all(this.#closings);
  }
}
