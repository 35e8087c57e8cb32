import type { Call, Running, Sink, Stage } from '../call.ts';
import type { RetryCounts, RetrySettings } from './options.ts';
import { RetryRun } from './retry-run.ts';

/** A retry, bound to the stage inside it. */
export class RetryStage implements Stage {
  readonly settings: RetrySettings;
  readonly counts: RetryCounts;
  readonly inner: Stage;
  /** Whether `retryIf` may reject values. By default it does not, and successes take a shorter path. */
  readonly classifiesValues: boolean;

  constructor(settings: RetrySettings, counts: RetryCounts, inner: Stage, classifiesValues: boolean) {
    this.settings = settings;
    this.counts = counts;
    this.inner = inner;
    this.classifiesValues = classifiesValues;
  }

  start(call: Call, _attempt: number, sink: Sink): Running {
    this.counts.calls++;
    const run = new RetryRun(this, call, sink);
    run.begin();
    return run;
  }
}
