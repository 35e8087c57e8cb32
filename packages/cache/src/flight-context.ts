import { OptionsError } from '@macadam/core';
import type { LoadContext, StaleValue } from './cache.ts';
import type { Entry } from './entry.ts';
import { CacheValueError } from './errors.ts';
import type { Flight } from './flight.ts';
import { isolateForReader, type Isolation } from './isolation.ts';
import { assertTtl } from './options.ts';
import { assertTags, MAX_TAGS } from './tag-marks.ts';
import { isWellFormed } from './well-formed.ts';

const MAX_VALIDATOR_LENGTH = 1_024;

/** The context that the loader of one key receives, and the instructions that it gave through it. */
export class FlightContext<T> implements LoadContext<T> {
  readonly key: string;
  declare readonly stale?: StaleValue<T>;
  readonly #flight: Flight<T>;
  readonly #entry: Entry<T> | undefined;
  readonly #isolation: Isolation;
  ttlMs: number | undefined;
  tags: readonly string[];
  validator = '';
  skipped = false;
  /** Set by `notModified()`: the entry that becomes fresh again. */
  notModifiedEntry: Entry<T> | undefined;

  /** @param entry the stale entry that is being replaced */
  constructor(
    key: string,
    flight: Flight<T>,
    tags: readonly string[],
    entry: Entry<T> | undefined,
    isolation: Isolation,
  ) {
    this.key = key;
    this.#flight = flight;
    this.tags = tags;
    this.#entry = entry;
    this.#isolation = isolation;
    if (entry === undefined) return;
    this.stale = {
      value: isolateForReader(entry.value, isolation),
      ageMs: (flight.startedAt as number) - entry.storedAt,
      ...(entry.validator !== '' && { validator: entry.validator }),
    };
  }

  get signal(): AbortSignal {
    return this.#flight.signal;
  }

  /** Whether no caller waits for the load. */
  get isBackground(): boolean {
    return this.#flight.asyncScope === undefined;
  }

  /** Whether the load has ended, for example because it ran out of time. */
  get hasEnded(): boolean {
    return this.#flight.settled;
  }

  /** Resolves when the load has ended, whatever the outcome. */
  get ended(): Promise<unknown> {
    return this.#flight.outcome;
  }

  /**
   * The tags of the result. A value that was not modified keeps those that it had: it was made from what they stand for,
   * and an instance that invalidates one of them does not know of this load. So they can be more than `MAX_TAGS`.
   */
  get allTags(): readonly string[] {
    const kept = this.notModifiedEntry?.tags;
    if (kept === undefined || kept.length === 0) return this.tags;
    return [...new Set([...kept, ...this.tags])];
  }

  // Arrow functions in fields, so that a loader can destructure them: `({ signal, setTtl }) =>`.
  readonly setTtl = (ttlMs: number): void => {
    assertTtl('setTtl.ttlMs', ttlMs);
    this.ttlMs = ttlMs;
  };

  readonly addTags = (tags: readonly string[]): void => {
    assertTags('addTags.tags', tags);
    const all = new Set([...this.tags, ...tags]);
    if (all.size > MAX_TAGS)
      throw new OptionsError('addTags.tags', tags, `${MAX_TAGS} tags at most, including those of the options`);
    this.tags = [...all];
  };

  readonly setValidator = (validator: string): void => {
    const fits = typeof validator === 'string' && validator.length > 0 && validator.length <= MAX_VALIDATOR_LENGTH;
    if (!fits || !isWellFormed(validator)) {
      const allowed = `a well-formed string of 1 to ${MAX_VALIDATOR_LENGTH} characters`;
      throw new OptionsError('setValidator.validator', validator, allowed);
    }
    this.validator = validator;
  };

  readonly notModified = (): T => {
    if (this.#entry === undefined) throw new CacheValueError('notModified() needs a stale value, and there is none');
    this.notModifiedEntry = this.#entry;
    return isolateForReader(this.#entry.value, this.#isolation);
  };

  readonly skip = (): void => {
    this.skipped = true;
  };
}
