import { OptionsError } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { respond, slow } from './response-faults.ts';
import { blackHole, hang, refuse, resetBeforeHeaders } from './connection-faults.ts';
import type { ReceivedRequest } from './fault-exchange.ts';
import { FaultScript, type FaultRule } from './fault-script.ts';
import { seededRandom } from './seeded-random.ts';

const request = { method: 'GET', path: '/a' } as ReceivedRequest;
const script = (...rules: FaultRule[]): FaultScript => new FaultScript('faults', rules, seededRandom(7));
const kinds = (faults: readonly { kind: string }[]): string[] => faults.map(({ kind }) => kind);

describe('when', () => {
  test.each([
    ['before the window', 99, []],
    ['at its first moment', 100, ['hang']],
    ['at its last moment', 199.9, ['hang']],
    ['at its end', 200, []],
  ])('a time window %s', (_, elapsedMs, expected) => {
    const windowed = script({ fault: hang(), when: { fromMs: 100, toMs: 200 } });
    expect(kinds(windowed.forRequest(request, 1, elapsedMs))).toEqual(expected);
  });

  test.each([
    [1, []],
    [2, ['hang']],
    [3, ['hang']],
    [4, []],
  ])('request number %d of the range 2 to 3', (count, expected) => {
    expect(kinds(script({ fault: hang(), when: { requests: [2, 3] } }).forRequest(request, count, 0))).toEqual(
      expected,
    );
  });

  test('accepts a range of requests without an end', () => {
    expect(kinds(script({ fault: hang(), when: { requests: [2, Infinity] } }).forRequest(request, 1e9, 0))).toEqual([
      'hang',
    ]);
  });

  test('applies a rule to the requests for which its predicate returns true', () => {
    const picky = script({ fault: hang(), when: ({ path }) => path === '/a' });
    expect(kinds(picky.forRequest(request, 1, 0))).toEqual(['hang']);
    expect(kinds(picky.forRequest({ ...request, path: '/b' }, 1, 0))).toEqual([]);
  });
});

describe('share', () => {
  const struck = (rules: FaultRule[], kind: string): number[] => {
    const shared = script(...rules);
    const numbers = Array.from({ length: 10_000 }, (_, at) => at + 1);
    return numbers.filter((count) => kinds(shared.forRequest(request, count, 0)).includes(kind));
  };

  test('selects the given share of requests, and the same ones in every run', () => {
    const rules: FaultRule[] = [{ fault: hang(), share: 0.05 }];
    expect(struck(rules, 'hang').length / 10_000).toBeCloseTo(0.05, 2);
    expect(struck(rules, 'hang')).toEqual(struck(rules, 'hang'));
  });

  test('selects the same requests whatever rules follow', () => {
    const storm: FaultRule = { fault: respond(503), share: 0.12 };
    expect(struck([storm, { fault: hang(), share: 0.5 }], 'respond')).toEqual(struck([storm], 'respond'));
  });

  test('selects no request with 0 and every request with 1', () => {
    expect(struck([{ fault: hang(), share: 0 }], 'hang')).toHaveLength(0);
    expect(struck([{ fault: hang(), share: 1 }], 'hang')).toHaveLength(10_000);
  });
});

test('returns faults in the order of the rules, and of the faults of a rule', () => {
  const rules = script({ fault: [slow(5), respond(503)] }, { fault: hang() });
  expect(kinds(rules.forRequest(request, 1, 0))).toEqual(['latency', 'respond', 'hang']);
});

test('applies only faults of level connection to a new connection', () => {
  expect(script({ fault: hang() }).forConnection(1, 0)).toBeUndefined();
  expect(script({ fault: blackHole() }).forConnection(1, 0)?.kind).toBe('blackHole');
  expect(script({ fault: blackHole(), when: { fromMs: 10 } }).forConnection(1, 0)).toBeUndefined();
  expect(script({ fault: blackHole(), when: () => true }).forConnection(1, 0)).toBeUndefined();
});

test('refuses connections in the time windows of refuse(), and returns the next change', () => {
  const windows = script(
    { fault: refuse(), when: { fromMs: 100, toMs: 200 } },
    { fault: refuse(), when: { fromMs: 150, toMs: 300 } },
    { fault: hang(), when: { fromMs: 50, toMs: 60 } },
  );
  const timeline = [0, 100, 150, 200, 299, 300].map((ms) => [ms, windows.refusesAt(ms), windows.nextChangeMs(ms)]);
  expect(timeline).toEqual([
    [0, false, 100],
    [100, true, 150],
    [150, true, 200],
    [200, true, 300],
    [299, true, 300],
    [300, false, Infinity],
  ]);
});

test('describes itself', () => {
  expect(script().describe()).toBe('answers every request');
  expect(
    script(
      { fault: [slow(200), respond(503, { retryAfter: 2 })], share: 0.12 },
      { fault: resetBeforeHeaders(), when: { fromMs: 5, toMs: 10 } },
      { fault: hang(), when: { requests: [1, 3] } },
      { fault: hang(), when: () => true },
    ).describe(),
  ).toBe(
    'waits 200 ms, then answers 503 with Retry-After 2 for 12 % of requests; ' +
      'resets the connection instead of answering from 5 ms to 10 ms; ' +
      'never answers for requests 1 to 3; never answers where a predicate holds',
  );
});

test.each<[string, unknown]>([
  ['faults', { fault: hang() }],
  ['faults[0]', ['hang']],
  ['faults[0].fault', [{ fault: 'hang' }]],
  ['faults[0].fault', [{ fault: [hang(), undefined] }]],
  ['faults[0].share', [{ fault: hang(), share: 5 }]],
  ['faults[0].shar', [{ fault: hang(), shar: 0.5 }]],
  ['faults[0].when', [{ fault: hang(), when: 5 }]],
  ['faults[0].when.toMs', [{ fault: hang(), when: { fromMs: 10, toMs: 10 } }]],
  ['faults[0].when.form', [{ fault: hang(), when: { form: 10 } }]],
  ['faults[0].when.requests', [{ fault: hang(), when: { requests: [1] } }]],
  ['faults[0].when.requests[0]', [{ fault: hang(), when: { requests: [0, 1] } }]],
  ['faults[0].when.requests[1]', [{ fault: hang(), when: { requests: [3, 2] } }]],
  ['faults[0]', [{ fault: refuse(), share: 0.5 }]],
  ['faults[0]', [{ fault: refuse(), when: { requests: [1, 2] } }]],
  ['faults[0]', [{ fault: refuse(), when: () => true }]],
])('refuses a wrong %s', (path, rules) => {
  const make = (): FaultScript => new FaultScript('faults', rules as FaultRule[], seededRandom(1));
  expect(make).toThrow(OptionsError);
  expect(make).toThrow(expect.objectContaining({ path }));
});
