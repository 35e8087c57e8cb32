import type { HistogramLike } from './package-metrics.ts';

const BATCH_SIZE = 16;

type Recording = Parameters<HistogramLike['record']>;

/**
 * Passes recordings to the histogram of an SDK in batches. To find the series of one, the SDK sorts and serializes its attributes.
 * Between two requests, the code and data for that are no longer in the caches of the processor; within a batch they are.
 */
export class BatchedHistogram implements HistogramLike {
  readonly #histogram: HistogramLike;
  #pending: Recording[] = [];

  constructor(histogram: HistogramLike) {
    this.#histogram = histogram;
  }

  record(...recording: Recording): void {
    this.#pending.push(recording);
    if (this.#pending.length >= BATCH_SIZE) this.flush();
  }

  /**
   * Passes on what has been recorded.
   *
   * @throws what the SDK throws first, after all recordings have been passed on
   */
  flush(): void {
    const batch = this.#pending;
    this.#pending = [];
    const failures: unknown[] = [];
    for (const [value, attributes, context] of batch) {
      try {
        this.#histogram.record(value, attributes, context);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
