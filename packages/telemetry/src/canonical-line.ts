import {
  assertDurationMs,
  assertNumber,
  assertText,
  currentWork,
  isMacadamError,
  type Random,
  runWork,
  systemClock,
  systemRandom,
  type Work,
  type WorkOptions,
} from '@macadam/core';
import { CoreLogger, type Logger } from './logger.ts';

/** How a unit of work ended. */
export type WorkOutcome = 'ok' | 'error' | 'aborted' | 'timeout';

export interface CanonicalLineOptions extends WorkOptions {
  /** What the work is, such as `GET /orders/{id}`: written as `event` and as the message. */
  name: string;
  /** From this duration on a line is always kept, and says `slow`. Default: 1,000 ms. */
  slowerThanMs?: number;
  /** Share of the lines to keep of work that went well and was not slow, above 0 up to 1. Default: 1. */
  sampleRatio?: number;
  /** More fields, asked for at the end. A throw is shown as a field. */
  fields?: (outcome: WorkOutcome, error: unknown) => Readonly<Record<string, unknown>>;
  /** For sampling. Default: `Math.random`. */
  random?: Random;
}

/** The default of `slowerThanMs`. */
const SLOW_MS = 1_000;

/**
 * Runs `fn` as a unit of work (`runWork` of `@macadam/core`), and logs one line when it ends, however it ends: with what
 * everything below added by `currentWork().annotate()`. Errors, timeouts and slow work are always logged; of the rest
 * `sampleRatio` are, and their lines say `sampleRate`, so that counts can be scaled up again.
 *
 * The idea is Stripe's, https://stripe.com/blog/canonical-log-lines.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option; else what `fn` throws.
 * @example
 * ```ts
 * import { currentWork } from '@macadam/core';
 * import { createLogger, withCanonicalLine } from '@macadam/telemetry';
 *
 * const log = createLogger({ name: 'orders' });
 * await withCanonicalLine(log, { name: 'orders.place', timeoutMs: 800 }, async () => {
 *   currentWork()?.annotate({ cacheHits: 2 });
 * });
 * ```
 */
export function withCanonicalLine<T>(log: Logger, options: CanonicalLineOptions, fn: () => T): T {
  const { name, slowerThanMs = SLOW_MS, sampleRatio = 1, fields, random = systemRandom, ...workOptions } = options;
  assertText('withCanonicalLine.name', name);
  assertDurationMs('withCanonicalLine.slowerThanMs', slowerThanMs, { min: 0, infinite: true });
  assertNumber('withCanonicalLine.sampleRatio', sampleRatio, { above: 0, max: 1 });
  const clock = workOptions.clock ?? systemClock;
  const startedAt = clock.monotonic();

  const end = (work: Work, outcome: WorkOutcome, error: unknown): void => {
    const durationMs = Math.round((clock.monotonic() - startedAt) * 1_000) / 1_000;
    const slow = durationMs >= slowerThanMs;
    const sampled = outcome === 'ok' && !slow && sampleRatio < 1;
    if (sampled && random() >= sampleRatio) return;
    const line: Record<string, unknown> = { event: name, outcome, durationMs, priority: work.priority };
    if (slow) line['slow'] = true;
    if (work.tenant !== undefined) line['tenant'] = work.tenant;
    if (sampled) line['sampleRate'] = sampleRatio;
    try {
      Object.assign(line, fields?.(outcome, error));
    } catch (thrown) {
      line['fieldsError'] = thrown;
    }
    if (outcome !== 'ok') line['err'] = error;
    // What is said here counts, whatever a layer below has annotated.
    if (log instanceof CoreLogger) log.writeWork(levelOf(outcome), line, work.annotations, name);
    else log[levelOf(outcome)]({ ...work.annotations, ...line }, name);
  };

  return runWork(workOptions, () => {
    const work = currentWork()!;
    let result: T;
    try {
      result = fn();
    } catch (error) {
      end(work, outcomeOf(error), error);
      throw error;
    }
    if (!isThenable(result)) {
      end(work, 'ok', undefined);
      return result;
    }
    return Promise.resolve(result).then(
      (value) => {
        end(work, 'ok', undefined);
        return value;
      },
      (error: unknown) => {
        end(work, outcomeOf(error), error);
        throw error;
      },
    ) as T;
  });
}

function levelOf(outcome: WorkOutcome): 'info' | 'warn' | 'error' {
  if (outcome === 'ok') return 'info';
  return outcome === 'aborted' ? 'warn' : 'error';
}

function outcomeOf(error: unknown): WorkOutcome {
  const name = error instanceof Error ? error.name : '';
  if (isMacadamError(error, 'MAC_TIMEOUT') || name === 'TimeoutError') return 'timeout';
  return isMacadamError(error, 'MAC_ABORTED') || name === 'AbortError' ? 'aborted' : 'error';
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
