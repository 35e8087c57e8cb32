// The documentation page about hit ratios must match what the cache achieves on the recorded trace.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FILE_TRACE, hitRatio, readTrace } from '../bench/trace.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/benchmarks/cache-hit-ratio.md'), 'utf8');

it('the documented hit ratios match the recorded trace', { timeout: 60_000 }, async () => {
  const { about, keys } = readTrace(FILE_TRACE);
  expect(keys).toHaveLength(about.lookUps);
  expect(new Set(keys).size).toBe(about.keys);
  const entries = Math.round(about.keys * 0.1);
  const [lru, s3Fifo] = await Promise.all((['lru', 's3-fifo'] as const).map((one) => hitRatio(keys, entries, one)));
  const percent = (share = 0): string => `${(share * 100).toFixed(1)} %`;
  expect(page).toContain(`| ${entries.toLocaleString('en')} | 10.0 % | ${percent(lru)} | ${percent(s3Fifo)} |`);
});
