import { ownRetries } from '@macadam/core';
import type { Call, Running, Sink, Stage } from './call.ts';
import type { ExecuteContext } from './policy.ts';
import { emitWarning } from './warning.ts';

function invoke(attempt: Attempt): unknown {
  const { fn, retryScope } = attempt.call;
  return retryScope === undefined ? fn(attempt) : ownRetries(retryScope, fn, attempt);
}

/** The innermost layer: one attempt to run the function, which is also the context that the function receives. */
class Attempt implements ExecuteContext, Running {
  readonly call: Call;
  readonly attempt: number;
  readonly #sink: Sink;
  #done = false;
  #cancelled = false;
  #reason: unknown;
  #controller: AbortController | undefined;
  #listener: ((reason: unknown) => void) | undefined;

  constructor(call: Call, attempt: number, sink: Sink) {
    this.call = call;
    this.attempt = attempt;
    this.#sink = sink;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  onCancel(listener: (reason: unknown) => void): void {
    if (this.#cancelled) listener(this.#reason);
    else this.#listener = listener;
  }

  run(): void {
    let result: unknown;
    let pending: boolean;
    try {
      result = this.call.runInContext(invoke, this);
      pending = this.#awaitThenable(result);
    } catch (error) {
      this.#settle(false, error);
      return;
    }
    if (!pending) this.#settle(true, result);
  }

  /** Subscribes to a thenable result; false if the result is a plain value. May throw, since a thenable is user code. */
  #awaitThenable(result: unknown): boolean {
    if ((typeof result !== 'object' || result === null) && typeof result !== 'function') return false;
    if (typeof (result as PromiseLike<unknown>).then !== 'function') return false;
    (result as PromiseLike<unknown>).then(
      (value) => this.#settle(true, value),
      (error: unknown) => this.#settle(false, error),
    );
    return true;
  }

  #settle(ok: boolean, result: unknown): void {
    // A cancelled attempt may still settle later; its outcome is ignored.
    if (this.#done) return;
    this.#done = true;
    this.call.nextEvent();
    if (ok) this.#sink.succeed(result);
    else this.#sink.fail(result);
  }

  cancel(reason: unknown): void {
    if (this.#done) return;
    this.#done = true;
    this.#cancelled = true;
    this.#reason = reason;
    this.#controller?.abort(reason);
    try {
      this.#listener?.(reason);
    } catch (error) {
      // A listener that throws must not prevent the canceller from ending the call.
      emitWarning(error);
    }
  }
}

/** The innermost stage: runs the function itself. */
export const innermost: Stage = {
  start(call, attempt, sink) {
    const run = new Attempt(call, attempt, sink);
    run.run();
    return run;
  },
};
