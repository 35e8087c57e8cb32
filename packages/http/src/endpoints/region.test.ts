import { seededRandom } from '@macadam/testkit';
import { expect, test } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { Region } from './region.ts';

interface FakeEndpoint {
  usable?: boolean;
  full?: boolean;
  cost?: number;
  inFlight?: number;
  zone?: string;
}

function regionOf(endpoints: readonly FakeEndpoint[]): {
  region: Region;
  at: (endpoint: Endpoint | undefined) => number;
} {
  const region = new Region('eu', 0);
  for (const { usable = true, full = false, cost = 1, inFlight = 0, zone } of endpoints) {
    const isUsable = (_now: number, _route: string | undefined, ignoreLimit: boolean): boolean =>
      usable && (ignoreLimit || !full);
    const endpoint = { target: { weight: 1, zone }, isUsable };
    const index = region.add(endpoint as unknown as Endpoint, full);
    if (!usable) region.load.recordFailure(index, cost, 0);
    region.load.recordLatency(index, cost, 0);
    for (let i = 0; i < inFlight; i++) region.load.recordStart(index);
  }
  return { region, at: (endpoint) => (endpoint === undefined ? -1 : region.endpoints.indexOf(endpoint)) };
}

function picks(endpoints: readonly FakeEndpoint[], indexes: readonly number[] = [], ignoreLimit = false): number[] {
  const { region, at } = regionOf(endpoints);
  const random = seededRandom(7);
  const attempted = indexes.map((i) => region.endpoints[i] as Endpoint);
  return Array.from({ length: 1_000 }, () => at(region.pick(attempted, 0, random, undefined, ignoreLimit)));
}

const share = (all: readonly number[], one: number): number => all.filter((i) => i === one).length / all.length;

test('the only usable endpoint of a few is always picked', () => {
  expect(new Set(picks([{ usable: false }, { usable: false }, { usable: true }, { usable: false }]))).toEqual(
    new Set([2]),
  );
});

test('none is picked when none is usable', () => {
  expect(new Set(picks([{ usable: false }, { usable: false }]))).toEqual(new Set([-1]));
  expect(new Set(picks([{}], [0]))).toEqual(new Set([-1]));
});

test.each<[what: string, endpoints: FakeEndpoint[], ignoreLimit: boolean, picked: number[]]>([
  ['the only endpoint below its limit is always picked', [{ full: true }, { full: true }, {}], false, [2]],
  [
    'an endpoint below its limit is preferred to a faster one at its limit',
    [{ full: true }, { cost: 1_000 }],
    false,
    [1],
  ],
  [
    'none is picked when all are at their limits or unusable',
    [{ full: true }, { full: true, usable: false }],
    false,
    [-1],
  ],
  [
    'with ignoreLimit, an endpoint at its limit is picked, an unusable one is not',
    [{ full: true }, { full: true, usable: false }],
    true,
    [0],
  ],
])('%s', (_what, endpoints, ignoreLimit, picked) => {
  expect([...new Set(picks(endpoints, [], ignoreLimit))]).toEqual(picked);
});

test('the only usable endpoint of thousands is picked by chance only: the list is not scanned', () => {
  const found = picks(Array.from({ length: 2_000 }, (_, i) => ({ usable: i === 7 })));
  expect(new Set(found)).toEqual(new Set([-1, 7]));
});

test('of two drawn endpoints the clearly cheaper one is picked', () => {
  expect(share(picks([{ cost: 1 }, { cost: 2 }]), 0)).toBeCloseTo(0.75, 1);
  expect(share(picks([{ cost: 1 }, { cost: 1.05 }]), 0)).toBeCloseTo(0.5, 1);
});

test('of two endpoints, a hung one is not picked, and an empty one that fails at once only for its weight', () => {
  expect(share(picks([{ inFlight: 10 }, { inFlight: 1 }]), 0)).toBe(0);
  expect(share(picks([{ inFlight: 10 }, { cost: 1_000 }]), 1)).toBeCloseTo(0.25, 1);
});

test('an endpoint in another zone than the last attempt is preferred, even if it costs more', () => {
  const all = picks([{ zone: 'a' }, { zone: 'a', cost: 1 }, { zone: 'b', cost: 9 }], [0]);
  expect(share(all, 0)).toBe(0);
  expect(share(all, 2)).toBeGreaterThan(0.6);
});
