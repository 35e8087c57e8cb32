import { ownRetries } from '@macadam/core';
import type { Call, Running, Sink, Stage } from './call.ts';
import type { ExecuteContext } from './policy.ts';

function invoke(attempt: Attempt): unknown {
  const { call } = attempt;
  if (call.ownsRetries) ownRetries();
  return call.fn(attempt);
}

/** One try of the function, and the context it is given. */
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
      result = this.call.within(invoke, this);
      pending = this.#follow(result);
    } catch (error) {
      this.#settle(false, error);
      return;
    }
    if (!pending) this.#settle(true, result);
  }

  /** Waits for what can be waited for. Asking it may throw: a thenable is code of the user's. */
  #follow(result: unknown): boolean {
    if ((typeof result !== 'object' || result === null) && typeof result !== 'function') return false;
    if (typeof (result as PromiseLike<unknown>).then !== 'function') return false;
    (result as PromiseLike<unknown>).then(
      (value) => this.#settle(true, value),
      (error: unknown) => this.#settle(false, error),
    );
    return true;
  }

  #settle(ok: boolean, result: unknown): void {
    // A cancelled try may still settle, late: nobody waits for it any more.
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
      // Whoever cancels has others to tell: a listener that throws must not keep the call from ending.
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }
}

/** The innermost stage: the function itself. */
export const innermost: Stage = {
  start(call, attempt, sink) {
    const run = new Attempt(call, attempt, sink);
    run.run();
    return run;
  },
};
