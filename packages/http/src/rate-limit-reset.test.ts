import { expect, test } from 'vitest';
import { parseRateLimitReset } from './rate-limit-reset.ts';

const now = Date.UTC(2026, 0, 1);

test.each([
  ['draft 10: one policy', { ratelimit: '"default";r=0;t=30' }, 30_000],
  ['draft 10: parameters in any order', { ratelimit: '"default";t=30;r=0' }, 30_000],
  ['draft 10: the longest of those used up', { ratelimit: '"burst";r=0;t=5, "day";r=0;t=600' }, 600_000],
  ['draft 10: one with something left does not count', { ratelimit: '"burst";r=0;t=5, "day";r=7;t=40000' }, 5_000],
  ['draft 10: a name that looks like parameters', { ratelimit: '"a;r=0;t=9,b";r=0;t=2' }, 2_000],
  ['draft 10: nothing is used up', { ratelimit: '"default";r=5;t=30' }, undefined],
  ['draft 10: it does not say when', { ratelimit: '"default";r=0' }, undefined],
  ['drafts 7 to 9', { ratelimit: 'limit=10, remaining=0, reset=4' }, 4_000],
  ['drafts 7 to 9: something is left', { ratelimit: 'limit=10, remaining=3, reset=4' }, undefined],
  ['drafts before 7', { 'ratelimit-reset': '12' }, 12_000],
  ['drafts before 7: something is left', { 'ratelimit-reset': '12', 'ratelimit-remaining': '1' }, undefined],
  ['X-RateLimit-Reset in seconds', { 'x-ratelimit-reset': '3', 'x-ratelimit-remaining': '0' }, 3_000],
  ['X-RateLimit-Reset as an epoch', { 'x-ratelimit-reset': String(now / 1_000 + 8) }, 8_000],
  [
    'X-RateLimit-Reset as an epoch in milliseconds, as OpenRouter has it',
    { 'x-ratelimit-reset': String(now + 8_500) },
    8_500,
  ],
  ['an epoch that has passed', { 'x-ratelimit-reset': String(now / 1_000 - 8) }, 0],
  ['a number no timer holds', { ratelimit: '"default";r=0;t=99999999999999999999' }, Number.MAX_SAFE_INTEGER],
  ['a header that was sent twice', { ratelimit: ['"a";r=0;t=1', '"b";r=0;t=2'] }, 2_000],
  ['a quoted name with what looks like a policy', { ratelimit: '"a\\",b;r=0;t=9";r=0;t=3' }, 3_000],
  ['a quoted name that does not end', { ratelimit: '"a";r=0;t=3, "b\\";r=0;t=9' }, 3_000],
  ['a quoted name that ends with a backslash', { ratelimit: '"a";r=0;t=3, "b;r=0;t=9\\' }, 3_000],
  ['no number', { 'ratelimit-reset': 'soon' }, undefined],
  ['a negative number', { 'ratelimit-reset': '-1' }, undefined],
  ['none of them', {}, undefined],
])('%s', (_what, headers, expected) => {
  expect(parseRateLimitReset(headers, now)).toBe(expected);
});

test('takes a time that grows with the header, not with its square', () => {
  const headers = { ratelimit: `"${'\\"'.repeat(500_000)}` };
  const startedAt = performance.now();
  expect(parseRateLimitReset(headers, now)).toBeUndefined();
  // A quadratic scan takes minutes.
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
