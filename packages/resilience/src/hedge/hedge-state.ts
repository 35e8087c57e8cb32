import { ExpiryQueue } from '@macadam/core';
import { retryBudget, type RetryBudget } from '../retry/retry-budget.ts';
import { LatencyWindow } from './latency-window.ts';
import type { HedgeSettings } from './options.ts';

/** A percentile of fewer measured calls is not used. */
const MINIMUM_SAMPLES = 100;
const UNMEASURED_DELAY_MS = 500;
const WINDOW_MS = 30_000;
/** Factor on the percentile. Without it, if most attempts take exactly the percentile, all of these would be hedged. */
const PERCENTILE_MARGIN = 1.0005;
/** The percentile is computed again at most this often. Source: Finagle's BackupRequestFilter. */
const REFRESH_MS = 3_000;

/** The delay, budgets and counts that all calls of one policy share. */
export class HedgeState {
  readonly settings: HedgeSettings;
  readonly queue: ExpiryQueue;
  readonly extraLoad: RetryBudget;
  readonly #latencies = new LatencyWindow(WINDOW_MS);
  #delayMs = UNMEASURED_DELAY_MS;
  #refreshAt = -Infinity;
  calls = 0;
  hedges = 0;
  wins = 0;
  refused = 0;

  constructor(settings: HedgeSettings) {
    this.settings = settings;
    this.queue = new ExpiryQueue(settings.clock);
    this.extraLoad = retryBudget({ ratio: settings.maxExtraLoad, minPerSecond: 0, clock: settings.clock });
  }

  delayMs(now: number): number {
    if (this.settings.delayMs !== undefined) return this.settings.delayMs;
    if (now >= this.#refreshAt) {
      this.#refreshAt = now + REFRESH_MS;
      const hasEnough = this.#latencies.total(now) >= MINIMUM_SAMPLES;
      this.#delayMs = hasEnough
        ? Math.max(1, this.#latencies.percentile(this.settings.percentile, now) * PERCENTILE_MARGIN)
        : UNMEASURED_DELAY_MS;
    }
    return this.#delayMs;
  }

  measure(durationMs: number, now: number): void {
    if (this.settings.delayMs === undefined) this.#latencies.add(durationMs, now);
  }

  /** Whether one more attempt may be sent. Asks `maxExtraLoad` first, since asking the shared budget spends from it. */
  grant(now: number): boolean {
    const granted = this.extraLoad.tryRetry(false, now) && this.settings.budget.tryRetry(false, now);
    if (granted) this.hedges++;
    else this.refused++;
    return granted;
  }
}
