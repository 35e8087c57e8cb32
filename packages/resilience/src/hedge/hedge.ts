import { timerlessClock } from '@macadam/core';
import type { Stage } from '../call.ts';
import { definePolicy } from '../define-policy.ts';
import { startPinnedCall } from '../pinned-call.ts';
import type { Policy } from '../policy.ts';
import { HedgeState } from './hedge-state.ts';
import { HedgedCall } from './hedged-call.ts';
import { hedgeSettings, type HedgeOptions, type HedgeSettings } from './options.ts';

/**
 * Sends a second attempt next to a slow one and uses whichever answers first, which cuts the tail latency. Applies only to calls with
 * `idempotent: true`; other calls pass through. The slower attempts are cancelled, and do not count for or against the dependency.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * ```ts
 * import { hedge } from '@macadam/resilience';
 *
 * const price = await hedge({ delayMs: 20 }).execute(async () => 42, { idempotent: true });
 * ```
 */
export function hedge(options: HedgeOptions = {}): Policy {
  const settings = hedgeSettings(options);
  const state = new HedgeState(settings);
  const layer = {
    clock: settings.clock,
    defers: true,
    repeats: true,
    around: (inner: Stage): Stage => ({
      start(call, attempt, sink) {
        if (call.options?.idempotent !== true) return inner.start(call, attempt, sink);
        const race = new HedgedCall(state, inner, call, attempt, sink);
        race.begin();
        return race;
      },
    }),
  };
  return definePolicy('hedge', layer, {
    describe: () => describe(settings),
    stats: () => {
      const { calls, hedges, wins, refused } = state;
      return { calls, hedges, wins, refused, delayMs: state.delayMs(settings.clock.monotonic()) };
    },
  });
}

function describe({ delayMs, percentile, maxHedges, maxExtraLoad }: HedgeSettings): string {
  const after = delayMs === undefined ? `the live p${Number((percentile * 100).toFixed(3))}` : `${delayMs} ms`;
  return `hedge: up to ${maxHedges} more after ${after}, for at most ${maxExtraLoad * 100} % of calls, idempotent ones only`;
}

startPinnedCall(hedge({ clock: timerlessClock }));
