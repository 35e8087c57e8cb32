import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Timer } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';

type Command =
  | { kind: 'set'; delayMs: number; nested: number | undefined }
  | { kind: 'cancel'; index: number }
  | { kind: 'unref' | 'ref'; index: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'next' };

// Few distinct delays, so that timers are often due at the same time.
const delay = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.constantFrom(0.5, 1.5, 100, Infinity));
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('set' as const),
      delayMs: delay,
      nested: fc.option(delay, { nil: undefined }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cancel' as const), index: fc.nat(30) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('unref' as const, 'ref' as const), index: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('next' as const) }) },
);

/** A naive model of the clock: a list of timers that is searched completely. */
class NaiveClock {
  nowMs = 0;
  readonly log: string[] = [];
  readonly timers: { id: number; dueMs: number; nested: number | undefined; armed: boolean; counted: boolean }[] = [];

  set(delayMs: number, nested: number | undefined): void {
    this.timers.push({ id: this.timers.length, dueMs: this.nowMs + delayMs, nested, armed: true, counted: true });
  }

  get first() {
    const armed = this.timers.filter((timer) => timer.armed && timer.dueMs < Infinity);
    return armed.sort((a, b) => a.dueMs - b.dueMs || a.id - b.id)[0];
  }

  runFirst(untilMs: number): boolean {
    const { first } = this;
    if (first === undefined || first.dueMs > untilMs) return false;
    first.armed = false;
    this.nowMs = first.dueMs;
    this.log.push(`${first.id}@${this.nowMs}`);
    if (first.nested !== undefined) this.set(first.nested, undefined);
    return true;
  }

  get pending(): number {
    return this.timers.filter(({ armed, counted }) => armed && counted).length;
  }
}

test('runs the same timers, in the same order, at the same times, as a naive model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 60 }), async (commands) => {
      const model = new NaiveClock();
      const clock = virtualClock();
      const timers: Timer[] = [];
      const log: string[] = [];
      const set = (delayMs: number, nested: number | undefined): void => {
        const id = timers.length;
        timers.push(
          clock.setTimer(() => {
            log.push(`${id}@${clock.monotonic()}`);
            if (nested !== undefined) set(nested, undefined);
          }, delayMs),
        );
      };
      for (const step of commands) {
        switch (step.kind) {
          case 'set':
            set(step.delayMs, step.nested);
            model.set(step.delayMs, step.nested);
            break;
          case 'cancel':
            timers[step.index]?.cancel();
            if (model.timers[step.index] !== undefined) model.timers[step.index]!.armed = false;
            break;
          case 'ref':
          case 'unref':
            timers[step.index]?.[step.kind]?.();
            if (model.timers[step.index] !== undefined) model.timers[step.index]!.counted = step.kind === 'ref';
            break;
          case 'advance': {
            await clock.advance(step.ms);
            const untilMs = model.nowMs + step.ms;
            while (model.runFirst(untilMs));
            model.nowMs = untilMs;
            break;
          }
          case 'next':
            expect(await clock.advanceToNext()).toBe(model.runFirst(Number.MAX_VALUE));
            break;
        }
        expect({ log, nowMs: clock.monotonic(), pending: clock.pendingTimers }).toEqual({
          log: model.log,
          nowMs: model.nowMs,
          pending: model.pending,
        });
      }
    }),
    { numRuns: 300 },
  );
});
