import { virtualClock, type VirtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Clock, Timer } from './clock.ts';
import { ExpiryQueue, Expiring } from './expiry-queue.ts';

class Entry extends Expiring {
  readonly name: string;
  readonly #log: string[];

  constructor(name: string, expiresAt: number, log: string[]) {
    super();
    this.name = name;
    this.expiresAt = expiresAt;
    this.#log = log;
  }

  override expire(now: number): void {
    this.#log.push(`${this.name}@${now}`);
  }
}

/** A clock that counts the timers that are armed, keep the process alive, or were ever set. */
function countingClock(
  clock: VirtualClock,
  withUnref = true,
): Clock & { armed: number; set: number; referenced: number } {
  const counts = { armed: 0, set: 0, referenced: 0 };
  const setTimer = (callback: () => void, delayMs: number): Timer => {
    counts.set++;
    counts.armed++;
    counts.referenced++;
    let live = true;
    let referenced = true;
    const end = (): void => {
      if (live) counts.armed--;
      if (live && referenced) counts.referenced--;
      live = false;
    };
    const inner = clock.setTimer(() => {
      end();
      callback();
    }, delayMs);
    const reference = (wanted: boolean): void => {
      if (live && referenced !== wanted) counts.referenced += wanted ? 1 : -1;
      referenced = wanted;
    };
    const cancel = (): void => {
      end();
      inner.cancel();
    };
    return withUnref ? { cancel, ref: () => reference(true), unref: () => reference(false) } : { cancel };
  };
  return Object.assign(counts, {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    sleep: (ms: number, signal?: AbortSignal) => clock.sleep(ms, signal),
    setTimer,
  });
}

describe('ExpiryQueue', () => {
  it.each([
    { step: 1, name: 'in the order they were added', add: [10, 20, 30], expired: ['0@10', '1@20', '2@30'] },
    { step: 2, name: 'in the order they expire', add: [30, 10, 20], expired: ['1@10', '2@20', '0@30'] },
    { step: 3, name: 'together when they expire together', add: [10, 10], expired: ['0@10', '1@10'] },
    { step: 4, name: 'at once when their time has passed', add: [0, -5, 10], expired: ['1@0', '0@0', '2@10'] },
    { step: 5, name: 'never when infinite', add: [Infinity, 10, Infinity], expired: ['1@10'] },
  ])('step $step: entries expire $name', ({ add, expired }) => {
    const clock = virtualClock();
    const log: string[] = [];
    const queue = new ExpiryQueue(clock);
    for (const [i, expiresAt] of add.entries()) queue.add(new Entry(`${i}`, expiresAt, log), 0);
    clock.advanceSync(100);
    expect(log).toEqual(expired);
    expect(queue.size).toBe(add.filter((at) => at === Infinity).length);
  });

  it('removes an entry before it calls its expire(), so that expire() can add it again', () => {
    const clock = virtualClock();
    const queue = new ExpiryQueue(clock);
    const expiredAt: number[] = [];
    class SelfAdding extends Expiring {
      override expire(now: number): void {
        expiredAt.push(now);
        expect(this.place).toBe(-1);
        this.expiresAt = now + 10;
        if (expiredAt.length < 3) queue.add(this, now);
      }
    }
    const entry = new SelfAdding();
    entry.expiresAt = 10;
    queue.add(entry, 0);
    clock.advanceSync(100);
    expect(expiredAt).toEqual([10, 20, 30]);
  });

  it('ignores the removal of an entry that was removed or has expired', () => {
    const clock = virtualClock();
    const log: string[] = [];
    const queue = new ExpiryQueue(clock);
    const [a, b] = [new Entry('a', 10, log), new Entry('b', 20, log)];
    queue.add(a, 0);
    queue.add(b, 0);
    queue.remove(a);
    queue.remove(a);
    clock.advanceSync(20);
    queue.remove(b);
    expect(log).toEqual(['b@20']);
    expect(queue.size).toBe(0);
  });

  it('sets one timer for any number of entries that are removed before they expire', () => {
    const clock = virtualClock();
    const counted = countingClock(clock);
    const queue = new ExpiryQueue(counted);
    for (let i = 0; i < 1_000; i++) {
      const entry = new Entry('never', clock.monotonic() + 500, []);
      queue.add(entry, clock.monotonic());
      expect(counted.armed).toBe(1);
      queue.remove(entry);
      clock.advanceSync(0.01);
    }
    expect(counted.set).toBe(1);
  });

  it('keeps the process alive only while it has entries', () => {
    const clock = virtualClock();
    const counted = countingClock(clock);
    const queue = new ExpiryQueue(counted);
    const entry = new Entry('a', 500, []);
    queue.add(entry, 0);
    expect(counted).toMatchObject({ armed: 1, referenced: 1 });
    queue.remove(entry);
    expect(counted).toMatchObject({ armed: 1, referenced: 0 });
    queue.add(entry, 0);
    expect(counted).toMatchObject({ armed: 1, referenced: 1, set: 1 });
    queue.remove(entry);
    clock.advanceSync(500);
    expect(counted).toMatchObject({ armed: 0, referenced: 0 });
  });

  it('cancels its timer when it is empty, on a clock whose timers have no unref()', () => {
    const clock = virtualClock();
    const counted = countingClock(clock, false);
    const queue = new ExpiryQueue(counted);
    const entry = new Entry('a', 500, []);
    for (let i = 0; i < 3; i++) {
      queue.add(entry, 0);
      expect(counted.armed).toBe(1);
      queue.remove(entry);
      expect(counted.armed).toBe(0);
    }
    clock.assertNoTimers();
  });

  it('waits again when a timer fires early, as on clocks that round down', () => {
    const clock = virtualClock();
    const log: string[] = [];
    const early: Clock = {
      ...countingClock(clock),
      setTimer: (run, delayMs) => clock.setTimer(run, Math.max(1, Math.floor(delayMs / 2))),
    };
    const queue = new ExpiryQueue({ ...early, monotonic: () => clock.monotonic() });
    queue.add(new Entry('a', 16, log), 0);
    clock.advanceSync(15);
    expect(log).toEqual([]);
    clock.advanceSync(2);
    expect(log).toEqual(['a@16']);
  });

  type Step = { readonly do: 'add' | 'remove' | 'wait'; readonly n: number };
  const steps = fc.array(
    fc.record({ do: fc.constantFrom('add' as const, 'remove' as const, 'wait' as const), n: fc.nat({ max: 50 }) }),
    { maxLength: 120 },
  );

  /** The model: at each millisecond, all entries that are due expire, in the order of their expiry. */
  function agreesWithModel(plan: readonly Step[]): void {
    const clock = virtualClock();
    const counted = countingClock(clock);
    const queue = new ExpiryQueue(counted);
    const expired: string[] = [];
    const model = new Map<string, Entry>();
    const due: string[] = [];
    for (const [i, step] of plan.entries()) {
      const now = clock.monotonic();
      if (step.do === 'add') {
        const entry = new Entry(`${i}`, now + step.n + 1, expired);
        queue.add(entry, now);
        model.set(entry.name, entry);
      } else if (step.do === 'remove') {
        const victim = [...model.values()][step.n % Math.max(1, model.size)];
        if (victim !== undefined) {
          queue.remove(victim);
          model.delete(victim.name);
        }
      } else {
        for (let ms = 0; ms < step.n; ms++) {
          clock.advanceSync(1);
          for (const entry of model.values()) {
            if (entry.expiresAt > clock.monotonic()) continue;
            due.push(`${entry.name}@${clock.monotonic()}`);
            model.delete(entry.name);
          }
        }
        expect(expired.toSorted()).toEqual(due.toSorted());
      }
      expect(queue.size).toBe(model.size);
      expect(counted.armed).toBeLessThanOrEqual(1);
      if (model.size > 0) expect(counted.referenced).toBe(1);
      else expect(counted.referenced).toBe(0);
    }
    const times = expired.map((line) => Number(line.split('@')[1]));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  }

  it('an entry that throws does not take the time limits of the others with it', async () => {
    const clock = virtualClock();
    const thrown: unknown[] = [];
    const catching: Clock = {
      ...countingClock(clock),
      setTimer: (callback, delayMs) =>
        clock.setTimer(() => {
          try {
            callback();
          } catch (error) {
            thrown.push(error);
          }
        }, delayMs),
    };
    const queue = new ExpiryQueue(catching);
    const expired: string[] = [];
    const broken = new RangeError('broken');
    const entry = new Entry('broken', 10, expired);
    entry.expire = () => {
      throw broken;
    };
    queue.add(entry, 0);
    for (const ms of [10, 20]) queue.add(new Entry(`other`, ms, expired), 0);
    await clock.advance(20);
    expect(thrown).toEqual([broken]);
    expect(expired).toEqual(['other@10', 'other@20']);
    expect(queue.size).toBe(0);
  });

  it('behaves like a naive model, and never has more than one timer armed', () => {
    fc.assert(fc.property(steps, agreesWithModel), { seed: 20_261_122, numRuns: 300 });
  });
});
