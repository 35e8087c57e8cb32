import { seededRandom, virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { randomLevel, levelOf } from './admission-level.ts';
import { createLoadShedder } from './create-load-shedder.ts';
import { TenantUse } from './tenant-use.ts';

describe('TenantUse', () => {
  it('measures how far a tenant is above an equal share', () => {
    const use = new TenantUse();
    expect(use.excess('nobody', 0)).toBe(0);
    use.add('heavy', 100, 0);
    expect(use.excess('heavy', 0)).toBe(0);
    for (let i = 0; i < 99; i++) use.add(`t${i}`, 1, 0);
    // 100 of 199, where an equal share is two.
    expect(use.excess('heavy', 0)).toBe(1);
    expect(use.excess('t1', 0)).toBe(0);
    use.add('twice', 4, 0);
    expect(use.excess('twice', 0)).toBeCloseTo(1 / 3, 1);
  });

  it('decays: use of a minute ago weighs a sixty-fourth', () => {
    const use = new TenantUse();
    use.add('heavy', 64, 0);
    use.add('light', 1, 60_000);
    expect(use.excess('heavy', 60_000)).toBeCloseTo(0, 5);
  });

  it('tenants that left long ago do not count towards the equal share', () => {
    const use = new TenantUse();
    for (let i = 0; i < 5_000; i++) use.add(`gone ${i}`, 1, 0);
    for (let i = 0; i < 10; i++) use.add(`t${i}`, 1, 3_600_000);
    expect(use.excess('t0', 3_600_000)).toBe(0);
    use.add('t0', 3, 3_600_000);
    // 4 of 13, where an equal share is 1.3.
    expect(use.excess('t0', 3_600_000)).toBeCloseTo(Math.log2(4 / 1.3) / 3, 5);
  });
});

describe('levels', () => {
  it('tenants above their share are served after others of their priority, and before the next priority', () => {
    const levels = Array.from({ length: 500 }, (_, i) => levelOf('normal', `t${i}`, 0));
    const worst = Array.from({ length: 500 }, (_, i) => levelOf('normal', `t${i}`, 0, 1));
    expect(Math.max(...levels)).toBeLessThan(3 * 128);
    expect(new Set(worst)).toEqual(new Set([3 * 128 - 1]));
    expect(levelOf('normal', 't1', 0, 0.5)).toBeGreaterThanOrEqual(levelOf('normal', 't1', 0));
  });

  it('requests without a tenant get a random level of their priority', () => {
    const random = seededRandom(1);
    const drawn = new Set(Array.from({ length: 5_000 }, () => randomLevel('low', random())));
    expect([drawn.size, Math.min(...drawn), Math.max(...drawn)]).toEqual([128, 3 * 128, 4 * 128 - 1]);
  });

  it('under overload the tenant that uses most is rejected, and the others are not', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({
      concurrency: { initial: 50, min: 50, max: 50 },
      isOverloaded: () => (shedder.stats()['inFlight'] as number) > 20,
      clock,
      random: seededRandom(1),
    });
    const refused = new Map<string, number>();
    const came = new Map<string, number>();
    const call = (tenant: string): void => {
      came.set(tenant, (came.get(tenant) ?? 0) + 1);
      const run = shedder.run(() => clock.sleep(50), { tenant });
      run.catch(() => refused.set(tenant, (refused.get(tenant) ?? 0) + 1));
    };
    for (let step = 0; step < 3_000; step++) {
      for (let i = 0; i < 5; i++) call('heavy');
      call(`t${step % 10}`);
      await clock.advance(10);
    }
    const share = (tenant: string): number => (refused.get(tenant) ?? 0) / (came.get(tenant) as number);
    const others = Array.from({ length: 10 }, (_, i) => share(`t${i}`));
    expect(share('heavy')).toBeGreaterThan(0.1);
    expect(Math.max(...others)).toBeLessThan(share('heavy') / 4);
    await clock.advance(1_000);
  });
});
