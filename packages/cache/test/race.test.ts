// Several processes on one Redis, with every kind of fault at once. docs/cache-races.md has longer runs next to other
// caches.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { race, type RaceOptions, type RaceReport } from './race/race.ts';
import { judge } from './race/verdict.ts';
import { redisUrl, servers } from '@macadam/test-support/redis-servers';

const module = join(import.meta.dirname, 'race', 'contender.ts');
const run = (contender: string, options: Partial<RaceOptions> = {}): Promise<RaceReport> =>
  race({
    module,
    contender,
    redisUrl: redisUrl(),
    durationMs: 3_000,
    processes: 3,
    // As promised in docs/cache.md; the first one leaves room for a busy machine.
    bounds: { connectedMs: 1_000, cutMs: 8_000 },
    ...options,
  });

describe('the race', { timeout: 60_000 }, () => {
  it.for(servers)(
    'no read that begins after an acknowledged invalidation returns anything older: $name',
    async ({ name, url }, { skip }) => {
      skip(url === undefined, `there is no ${name}`);
      const report = await run('macadam, log', { seed: 3, redisUrl: url as string });
      expect(report.examples).toEqual([]);
      expect(report).toMatchObject({ staleInProcess: 0, staleAcross: 0, crashes: 0, failed: 0 });
      expect(report.reads).toBeGreaterThan(100);
      expect(report.invalidations).toBeGreaterThan(20);
    },
  );

  it('detects stale reads of a cache that stores loaded values without fencing', async () => {
    const report = await run('careless', { faults: 'none' });
    expect(report.staleInProcess + report.staleAcross).toBeGreaterThan(0);
  });
});

describe('the verdict', () => {
  const bounds = { connectedMs: 100, cutMs: 1_000 };
  const invalidation = (version: number, at: number, everywhere = true) => ({ key: 'k', version, at, everywhere });
  const history = (
    process: number,
    reads: [version: number, startedAt: number][],
    invalidations: ReturnType<typeof invalidation>[] = [],
  ) => ({
    process,
    reads: reads.map(([version, startedAt]) => ({ key: 'k', version, startedAt })),
    invalidations,
  });
  const rows: [string, Parameters<typeof judge>, [inProcess: number, across: number]][] = [
    ['older in the same process', [[history(0, [[1, 11]], [invalidation(2, 10)])], [], bounds], [1, 0]],
    ['older in the same process, not acknowledged by all tiers', [[history(0, [[1, 11]], [invalidation(2, 10, false)])], [], bounds], [1, 0]],
    ['started before the acknowledgement', [[history(0, [[1, 9]], [invalidation(2, 10)])], [], bounds], [0, 0]],
    ['returned the new version', [[history(0, [[2, 500]], [invalidation(2, 10)])], [], bounds], [0, 0]],
    ['within the bound', [[history(0, [], [invalidation(2, 10)]), history(1, [[1, 110]])], [], bounds], [0, 0]],
    ['beyond the bound', [[history(0, [], [invalidation(2, 10)]), history(1, [[1, 111]])], [], bounds], [0, 1]],
    ['older only than a version within the bound', [[history(0, [], [invalidation(2, 10), invalidation(3, 200)]), history(1, [[2, 250]])], [], bounds], [0, 0]],
    ['not acknowledged by all tiers', [[history(0, [], [invalidation(2, 10, false)]), history(1, [[1, 900]])], [], bounds], [0, 0]],
    ['the connection of the reader was cut', [[history(0, [], [invalidation(2, 10)]), history(1, [[1, 900]])], [{ process: 1, from: 50, to: 60 }], bounds], [0, 0]],
    ['the connection of another process was cut', [[history(0, [], [invalidation(2, 10)]), history(1, [[1, 900]])], [{ process: 0, from: 50, to: 60 }], bounds], [0, 1]],
    ['cut, and beyond the bound for cuts', [[history(0, [], [invalidation(2, 10)]), history(1, [[1, 1_011]])], [{ process: 1, from: 50, to: 60 }], bounds], [0, 1]],
  ]; // prettier-ignore
  it.each(rows)('%s', (_, input, [inProcess, across]) => {
    expect(judge(...input)).toMatchObject({ staleInProcess: inProcess, staleAcross: across });
  });
});
