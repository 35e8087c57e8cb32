import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertNumber,
  assertObject,
  assertText,
  currentWork,
  type Random,
  runWork,
  systemClock,
  systemRandom,
  timeoutOf,
  type Work,
  type WorkOptions,
} from '@macadam/core';
import { CoreLogger, type Logger } from './logger.ts';
import { refusalStatusOf } from './refusal.ts';
import { isAbort, isThenable } from './spans.ts';

/**
 * How a unit of work ended. `refused`: with an error that refuses the caller, and is no failure: an error of Macadam with a
 * `refusalStatus` (a wrong token, no permission, a spent limit, no room), or one whose `statusCode` or `status` is 400 to 499, as
 * web frameworks have them.
 */
export type WorkOutcome = 'ok' | 'error' | 'refused' | 'aborted' | 'timeout';

/** Options of `withCanonicalLine`, in addition to those of `runWork`. */
export interface CanonicalLineOptions extends WorkOptions {
  /** Name of the work, such as `GET /orders/{id}`. Written as `event` and as the message. */
  name: string;
  /** Duration from which a line is always kept and marked `slow`, in milliseconds. Default: 1,000. */
  slowerThanMs?: number;
  /** Ratio of lines to keep of work that succeeded or was refused, and was not slow, above 0, at most 1. Default: 1. */
  sampleRatio?: number;
  /** Returns additional fields when the work ends. When it throws, the line says so in a field. Default: none. */
  fields?: (outcome: WorkOutcome, error: unknown) => Readonly<Record<string, unknown>>;
  /** Source of randomness, for `sampleRatio`. Default: `Math.random`. */
  random?: Random;
}

const OPTION_NAMES: readonly (keyof CanonicalLineOptions)[] = [
  ...(['name', 'slowerThanMs', 'sampleRatio', 'fields', 'random'] as const),
  ...(['timeoutMs', 'deadline', 'signal', 'priority', 'tenant', 'attributes', 'clock'] as const),
];

const DEFAULT_SLOWER_THAN_MS = 1_000;

/**
 * Runs `fn` as a unit of work (`runWork` of `@macadam/core`) and logs one line when it ends, with everything that was
 * added to it by `currentWork().annotate()`. Errors, timeouts, aborted and slow work are always logged; of the rest,
 * `sampleRatio` is, and those lines have `sampleRate` so that counts can be scaled up. The level is `info`, `warn` for work
 * that was refused or aborted, and `error` for errors and timeouts.
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
  assertObject('withCanonicalLine', options);
  assertKnownOptions('withCanonicalLine', options, OPTION_NAMES);
  const { name, slowerThanMs = DEFAULT_SLOWER_THAN_MS, sampleRatio = 1, fields, random = systemRandom } = options;
  assertText('withCanonicalLine.name', name);
  assertDurationMs('withCanonicalLine.slowerThanMs', slowerThanMs, { min: 0, infinite: true });
  assertNumber('withCanonicalLine.sampleRatio', sampleRatio, { above: 0, max: 1 });
  if (fields !== undefined) assertFunction('withCanonicalLine.fields', fields);
  if (options.random !== undefined) assertFunction('withCanonicalLine.random', random);
  if (options.clock !== undefined) assertClock('withCanonicalLine.clock', options.clock);
  const clock = options.clock ?? systemClock;
  // Checked before the work begins: thrown after it, the error would make work that succeeded look failed.
  assertFunction('withCanonicalLine.log.info', (log as Partial<Logger> | undefined)?.info);
  assertFunction('withCanonicalLine.fn', fn);
  const startedAt = clock.monotonic();

  const logLine = (work: Work, outcome: WorkOutcome, error: unknown): void => {
    const durationMs = Math.round((clock.monotonic() - startedAt) * 1_000) / 1_000;
    const slow = durationMs >= slowerThanMs;
    // Refused work is sampled too: otherwise whoever sends many bad requests decides how much is logged.
    const sampled = (outcome === 'ok' || outcome === 'refused') && !slow && sampleRatio < 1;
    if (sampled && random() >= sampleRatio) return;
    const { priority } = work;
    const extraFields = extraFieldsOf(work, slow, sampled ? sampleRatio : undefined, outcome, error, fields);
    // The fields made here replace annotations of the same name, whichever layer below added them.
    if (log instanceof CoreLogger) {
      log.writeWork(levelOf(outcome), { event: name, outcome, durationMs, priority, extraFields }, work.annotations);
    } else {
      log[levelOf(outcome)]({ ...work.annotations, ...extraFields, event: name, outcome, durationMs, priority }, name);
    }
  };

  return runWork(workOptionsOf(options), () => {
    const work = currentWork()!;
    let result: T;
    try {
      result = fn();
    } catch (error) {
      logLine(work, outcomeOf(error), error);
      throw error;
    }
    if (!isThenable(result)) {
      logLine(work, 'ok', undefined);
      return result;
    }
    return Promise.resolve(result).then(
      (value) => {
        logLine(work, 'ok', undefined);
        return value;
      },
      (error: unknown) => {
        logLine(work, outcomeOf(error), error);
        throw error;
      },
    ) as T;
  });
}

/** The fields that only some lines have; undefined if this one has none. */
function extraFieldsOf(
  { tenant }: Work,
  slow: boolean,
  sampleRate: number | undefined,
  outcome: WorkOutcome,
  error: unknown,
  fields: CanonicalLineOptions['fields'],
): object | undefined {
  if (!slow && tenant === undefined && sampleRate === undefined && outcome === 'ok' && fields === undefined) {
    return undefined;
  }
  const extra: Record<string, unknown> = {};
  const failed = outcome !== 'ok';
  // First, since a line that is too long is cut at its end.
  if (failed) extra['err'] = error;
  if (slow) extra['slow'] = true;
  if (tenant !== undefined) extra['tenant'] = tenant;
  if (sampleRate !== undefined) extra['sampleRate'] = sampleRate;
  try {
    Object.assign(extra, fields?.(outcome, error));
  } catch (thrown) {
    extra['fieldsError'] = thrown;
  }
  // Again, since it replaces what `fields` returned by that name.
  if (failed) extra['err'] = error;
  return extra;
}

/** Copies the options one by one, since a rest element would take as long as writing the whole line. */
function workOptionsOf(options: CanonicalLineOptions): WorkOptions {
  const work: WorkOptions = {};
  if (options.timeoutMs !== undefined) work.timeoutMs = options.timeoutMs;
  if (options.deadline !== undefined) work.deadline = options.deadline;
  if (options.signal !== undefined) work.signal = options.signal;
  if (options.priority !== undefined) work.priority = options.priority;
  if (options.tenant !== undefined) work.tenant = options.tenant;
  if (options.attributes !== undefined) work.attributes = options.attributes;
  if (options.clock !== undefined) work.clock = options.clock;
  return work;
}

function levelOf(outcome: WorkOutcome): 'info' | 'warn' | 'error' {
  if (outcome === 'ok') return 'info';
  return outcome === 'aborted' || outcome === 'refused' ? 'warn' : 'error';
}

function outcomeOf(error: unknown): WorkOutcome {
  try {
    if (timeoutOf(error) !== undefined) return 'timeout';
    if (isAbort(error)) return 'aborted';
    return refusalStatusOf(error) === undefined ? 'error' : 'refused';
  } catch {
    // A Proxy whose traps throw; the line is still logged.
    return 'error';
  }
}
