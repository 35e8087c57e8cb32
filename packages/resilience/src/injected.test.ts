import type { Clock } from '@macadam/core';
import { describe, expect, it } from 'vitest';
import {
  adaptiveConcurrency,
  bulkhead,
  circuitBreaker,
  fallback,
  hedge,
  paced,
  retry,
  retryBudget,
  routed,
  timeout,
} from './index.ts';

const makers: Readonly<Record<string, (clock: Clock) => unknown>> = {
  adaptiveConcurrency: (clock) => adaptiveConcurrency({ clock }),
  bulkhead: (clock) => bulkhead({ clock }),
  circuitBreaker: (clock) => circuitBreaker({ clock }),
  fallback: (clock) => fallback({ value: 1, clock }),
  hedge: (clock) => hedge({ clock }),
  paced: (clock) => paced({ pacer: { acquire: () => ({ settle() {} }) }, clock }),
  retry: (clock) => retry({ clock }),
  retryBudget: (clock) => retryBudget({ clock }),
  routed: (clock) => routed({ clock }),
  timeout: (clock) => timeout({ timeoutMs: 5, clock }),
};

describe('the option clock', () => {
  it.each(Object.entries(makers))('%s rejects an invalid clock when it is created', (name, make) => {
    for (const clock of [null, Date, { now: () => 0 }]) {
      expect(() => make(clock as never)).toThrow(
        expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `${name}.clock` }),
      );
    }
  });
});

describe('the option random', () => {
  it.each([
    ['retry', () => retry({ random: 0.5 as never })],
    ['circuitBreaker', () => circuitBreaker({ random: 0.5 as never })],
  ])('%s rejects anything but a function', (name, make) => {
    expect(make).toThrow(expect.objectContaining({ path: `${name}.random` }));
  });
});
