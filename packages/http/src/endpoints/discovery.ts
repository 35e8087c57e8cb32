import { runDetached } from '@macadam/core';
import { parseEndpoints, type EndpointsSettings, type EndpointTarget } from './options.ts';

type EndpointsSource = Exclude<EndpointsSettings['source'], undefined>;

const REFRESH_INTERVAL_MS = 30_000;

/** Keeps the list of endpoints from the caller's function up to date. There is no timer: calls trigger the refresh. */
export class Discovery {
  readonly #source: EndpointsSource;
  readonly #clientName: string;
  readonly #onList: (targets: readonly EndpointTarget[]) => void;
  #hasList = false;
  /** End the waits for refreshes before the first list, which may come from a later one. */
  readonly #waits = new Set<() => void>();
  #refreshAt = -Infinity;
  #refreshing: Promise<void> | undefined;
  /** The number of refreshes begun, and which of them the current list is from. */
  #begunRefreshes = 0;
  #appliedRefresh = 0;
  /** Whether a warning says that the current list could not be refreshed. */
  #hasWarned = false;

  constructor(source: EndpointsSource, clientName: string, onList: (targets: readonly EndpointTarget[]) => void) {
    this.#source = source;
    this.#clientName = clientName;
    this.#onList = onList;
  }

  /** Begins a refresh if one is due. Returns a promise of the first list; undefined when there is a list. */
  ensureList(now: number): Promise<void> | undefined {
    if (now >= this.#refreshAt) {
      // Counts from the beginning of the refresh, since the promise of the function may never settle.
      this.#refreshAt = now + REFRESH_INTERVAL_MS;
      const refresh = this.#refresh(++this.#begunRefreshes);
      this.#refreshing = this.#hasList ? refresh : this.#untilList(refresh);
      // A failed refresh leaves the current list in use. Without a list, the returned promise rejects for its caller.
      this.#refreshing.catch(() => {});
    }
    return this.#hasList ? undefined : this.#refreshing;
  }

  /** Waits for a refresh, or for any other to bring the first list. */
  async #untilList(refresh: Promise<void>): Promise<void> {
    const later = new Promise<void>((resolve) => {
      this.#waits.add(resolve);
      void refresh.catch(() => {}).then(() => this.#waits.delete(resolve));
    });
    await Promise.race([refresh, later]);
  }

  async #refresh(number: number): Promise<void> {
    try {
      const targets = parseEndpoints(await runDetached(this.#source), 'createHttpClient.endpoints()');
      // A later refresh has finished before this one.
      if (number < this.#appliedRefresh) return;
      this.#appliedRefresh = number;
      this.#hasWarned = false;
      this.#hasList = true;
      this.#onList(targets);
      for (const end of this.#waits) end();
      this.#waits.clear();
    } catch (error) {
      if (this.#hasList) this.#warn(error);
      else if (number === this.#begunRefreshes) this.#refreshAt = -Infinity;
      throw error;
    }
  }

  /** Once a list is in use, no call waits for a refresh, so its failure would go unnoticed. */
  #warn(error: unknown): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const reason = error instanceof Error ? error.message : String(error);
    process.emitWarning(
      `endpoints() of the client "${this.#clientName}" failed, and its last list stays in use: ${reason}`,
    );
  }
}
