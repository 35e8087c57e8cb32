import { seededRandom } from '@macadam/testkit';
import { expect, test } from 'vitest';
import type { Endpoint } from './endpoint.ts';
import { Region } from './region.ts';

interface Given {
  usable?: boolean;
  full?: boolean;
  cost?: number;
  inFlight?: number;
  zone?: string;
}

function regionOf(endpoints: readonly Given[]): { region: Region; at: (endpoint: Endpoint | undefined) => number } {
  const region = new Region('eu', 0);
  for (const { usable = true, full = false, cost = 1, inFlight = 0, zone } of endpoints) {
    const isUsable = (_now: number, _route: string | undefined, evenFull: boolean): boolean =>
      usable && (evenFull || !full);
    const endpoint = { target: { weight: 1, zone }, usable: isUsable };
    const place = region.add(endpoint as unknown as Endpoint, full);
    if (!usable) region.load.failed(place, cost, 0);
    region.load.succeeded(place, cost, 0);
    for (let i = 0; i < inFlight; i++) region.load.began(place);
  }
  return { region, at: (endpoint) => (endpoint === undefined ? -1 : region.endpoints.indexOf(endpoint)) };
}

function picks(endpoints: readonly Given[], tried: readonly number[] = [], evenFull = false): number[] {
  const { region, at } = regionOf(endpoints);
  const random = seededRandom(7);
  const been = tried.map((i) => region.endpoints[i] as Endpoint);
  return Array.from({ length: 1_000 }, () => at(region.pick(been, 0, random, undefined, evenFull)));
}

const share = (all: readonly number[], one: number): number => all.filter((i) => i === one).length / all.length;

test('the only usable one of a few is always found', () => {
  expect(new Set(picks([{ usable: false }, { usable: false }, { usable: true }, { usable: false }]))).toEqual(
    new Set([2]),
  );
});

test('none usable is none', () => {
  expect(new Set(picks([{ usable: false }, { usable: false }]))).toEqual(new Set([-1]));
  expect(new Set(picks([{}], [0]))).toEqual(new Set([-1]));
});

test.each<[what: string, endpoints: Given[], evenFull: boolean, picked: number[]]>([
  ['the only one with room is always found', [{ full: true }, { full: true }, {}], false, [2]],
  ['room counts for more than being fast', [{ full: true }, { cost: 1_000 }], false, [1]],
  ['none with room is none', [{ full: true }, { full: true, usable: false }], false, [-1]],
  ['of those without, one that would do else', [{ full: true }, { full: true, usable: false }], true, [0]],
])('%s', (_what, endpoints, evenFull, picked) => {
  expect([...new Set(picks(endpoints, [], evenFull))]).toEqual(picked);
});

test('one usable of thousands is found by chance, or not: never looked for in all of them', () => {
  const found = picks(Array.from({ length: 2_000 }, (_, i) => ({ usable: i === 7 })));
  expect(new Set(found)).toEqual(new Set([-1, 7]));
});

test('of two that are drawn the clearly cheaper one is taken', () => {
  expect(share(picks([{ cost: 1 }, { cost: 2 }]), 0)).toBeCloseTo(0.75, 1);
  expect(share(picks([{ cost: 1 }, { cost: 1.05 }]), 0)).toBeCloseTo(0.5, 1);
});

test('of two, one that hangs draws nobody, and one that is empty because it fails at once draws no more than its draws', () => {
  expect(share(picks([{ inFlight: 10 }, { inFlight: 1 }]), 0)).toBe(0);
  expect(share(picks([{ inFlight: 10 }, { cost: 1_000 }]), 1)).toBeCloseTo(0.25, 1);
});

test('one in another zone than the last that was tried is preferred, even if it costs more', () => {
  const all = picks([{ zone: 'a' }, { zone: 'a', cost: 1 }, { zone: 'b', cost: 9 }], [0]);
  expect(share(all, 0)).toBe(0);
  expect(share(all, 2)).toBeGreaterThan(0.6);
});
