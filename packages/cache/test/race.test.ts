// Several processes, one Redis, everything going wrong at once. Longer, and beside peers: docs/cache-races.md.
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
    // Stated in docs/cache.md; the first with room for a machine that is busy with other tests.
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

  it('finds out a cache that stores what it loaded whatever happened meanwhile', async () => {
    const report = await run('careless', { faults: 'none' });
    expect(report.staleInProcess + report.staleAcross).toBeGreaterThan(0);
  });
});

describe('the verdict', () => {
  const bounds = { connectedMs: 100, cutMs: 1_000 };
  const ending = (version: number, at: number, everywhere = true) => ({ key: 'k', version, at, everywhere });
  const history = (
    process: number,
    reads: [version: number, begunAt: number][],
    endings: ReturnType<typeof ending>[] = [],
  ) => ({
    process,
    reads: reads.map(([version, begunAt]) => ({ key: 'k', version, begunAt })),
    endings,
  });
  const rows: [string, Parameters<typeof judge>, [inProcess: number, across: number]][] = [
    ['older in the same process', [[history(0, [[1, 11]], [ending(2, 10)])], [], bounds], [1, 0]],
    ['older in the same process, not acknowledged by all', [[history(0, [[1, 11]], [ending(2, 10, false)])], [], bounds], [1, 0]],
    ['began before', [[history(0, [[1, 9]], [ending(2, 10)])], [], bounds], [0, 0]],
    ['as new', [[history(0, [[2, 500]], [ending(2, 10)])], [], bounds], [0, 0]],
    ['within the bound', [[history(0, [], [ending(2, 10)]), history(1, [[1, 110]])], [], bounds], [0, 0]],
    ['beyond the bound', [[history(0, [], [ending(2, 10)]), history(1, [[1, 111]])], [], bounds], [0, 1]],
    ['beyond the bound of a newer version only', [[history(0, [], [ending(2, 10), ending(3, 200)]), history(1, [[2, 250]])], [], bounds], [0, 0]],
    ['not acknowledged by all', [[history(0, [], [ending(2, 10, false)]), history(1, [[1, 900]])], [], bounds], [0, 0]],
    ['cut meanwhile', [[history(0, [], [ending(2, 10)]), history(1, [[1, 900]])], [{ process: 1, from: 50, to: 60 }], bounds], [0, 0]],
    ['somebody else was cut', [[history(0, [], [ending(2, 10)]), history(1, [[1, 900]])], [{ process: 0, from: 50, to: 60 }], bounds], [0, 1]],
    ['cut, and too late even so', [[history(0, [], [ending(2, 10)]), history(1, [[1, 1_011]])], [{ process: 1, from: 50, to: 60 }], bounds], [0, 1]],
  ]; // prettier-ignore
  it.each(rows)('%s', (_, input, [inProcess, across]) => {
    expect(judge(...input)).toMatchObject({ staleInProcess: inProcess, staleAcross: across });
  });
});
