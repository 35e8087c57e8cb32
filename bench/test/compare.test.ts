import { expect, test } from 'vitest';
import { comparison } from '../src/compare.ts';
import { caseOf } from './fixture.ts';

const before = { suite: 'cache', what: '', cases: [caseOf('hit', { ours: [10, 10, 10], peer: [20, 21, 22] })] };

test('costs are compared relative to the same contender, even if another is now cheapest', () => {
  const now = { cases: [caseOf('hit', { ours: [30, 30, 30], peer: [20, 20, 20] })] };
  expect(comparison(before, now)).toMatch(/hit +peer +ours +2.10x +0.67x +-68 %/);
});

test('overlapping intervals are not reported as a change', () => {
  const now = { cases: [caseOf('hit', { ours: [10, 10, 10], peer: [19, 20.5, 23] })] };
  expect(comparison(before, now)).toContain('not significant');
});

test('a case or a contender that the committed run does not have is left out', () => {
  const now = { cases: [caseOf('miss', { ours: [1], peer: [2] }), caseOf('hit', { ours: [10], other: [20] })] };
  expect(comparison(before, now).split('\n')).toHaveLength(1);
});
