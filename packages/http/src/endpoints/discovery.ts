import { runDetached } from '@macadam/core';
import { parseEndpoints, type EndpointsSettings, type EndpointTarget } from './options.ts';

/** A list is asked for again after this. */
const REFRESH_MS = 30_000;

/** Asks the function that knows the endpoints, when a call comes by and the last time is long ago. */
export class Discovery {
  readonly #source: Exclude<EndpointsSettings['source'], undefined>;
  /** Of the client. */
  readonly #name: string;
  readonly #found: (targets: readonly EndpointTarget[]) => void;
  #hasList = false;
  #refreshAt = -Infinity;
  #refreshing: Promise<void> | undefined;
  /** How often was asked for a list, and which of these times the present one answers. */
  #asked = 0;
  #answered = 0;
  /** Whether was told that the present list could not be renewed. */
  #warned = false;

  constructor(
    source: Exclude<EndpointsSettings['source'], undefined>,
    name: string,
    found: (targets: readonly EndpointTarget[]) => void,
  ) {
    this.#source = source;
    this.#name = name;
    this.#found = found;
  }

  /** What a call has to wait for: the first answer. */
  prepare(now: number): Promise<void> | undefined {
    if (now >= this.#refreshAt) {
      // From when it is asked, since an answer may never come.
      this.#refreshAt = now + REFRESH_MS;
      this.#refreshing = this.#refresh(++this.#asked);
      // A list that cannot be renewed is better than none; the first one is waited for, and then its failure is told.
      this.#refreshing.catch(() => {});
    }
    return this.#hasList ? undefined : this.#refreshing;
  }

  async #refresh(asked: number): Promise<void> {
    try {
      const targets = parseEndpoints(await runDetached(this.#source), 'createHttpClient.endpoints()');
      // One that came so late that a later one was there before is old.
      if (asked < this.#answered) return;
      this.#answered = asked;
      this.#warned = false;
      this.#hasList = true;
      this.#found(targets);
    } catch (error) {
      if (this.#hasList) this.#warn(error);
      else if (asked === this.#asked) this.#refreshAt = -Infinity;
      throw error;
    }
  }

  /** Nobody waits for a later list, so that nobody would learn that none comes any more. */
  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    const why = error instanceof Error ? error.message : String(error);
    process.emitWarning(`endpoints() of the client "${this.#name}" failed, and its last list stays in use: ${why}`);
  }
}
