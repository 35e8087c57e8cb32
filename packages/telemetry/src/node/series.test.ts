import type { Attributes } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Series, SeriesSet } from './series.ts';

const create = (attributes: Attributes): Series => new Series(attributes, [0, 0], [1]);

describe('SeriesSet', () => {
  it('finds the same series whatever the order, and another for another type of value', () => {
    const set = new SeriesSet(100, create);
    const series = set.of({ method: 'GET', status: 200 });
    expect(set.of({ status: 200, method: 'GET' })).toBe(series);
    expect(set.of({ method: 'GET', status: 200 })).toBe(series);
    expect(set.of({ method: 'GET', status: '200' })).not.toBe(series);
    expect(set.of({ method: 'GET' })).not.toBe(series);
    expect(set.of({})).toBe(set.of({}));
    expect([...set]).toHaveLength(4);
  });

  it('goes by what stands in the attributes now, not by whose they are', () => {
    const set = new SeriesSet(100, create);
    const attributes: Attributes = { status: 200, tags: ['a'] };
    const first = set.of(attributes);
    attributes['status'] = 500;
    const second = set.of(attributes);
    (attributes['tags'] as string[]).push('b');
    const third = set.of(attributes);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(first.attributes).toEqual({ status: 200, tags: ['a'] });
  });

  it('counts together what is too much, and still finds what came before', () => {
    const set = new SeriesSet(3, create);
    const known = [set.of({ id: 1 }), set.of({ id: 2 })];
    const other = set.of({ id: 3 });
    expect(other.attributes).toEqual({ 'otel.metric.overflow': true });
    expect(set.of({ id: 4 })).toBe(other);
    expect([set.of({ id: 1 }), set.of({ id: 2 })]).toEqual(known);
    expect([...set]).toEqual([...known, other]);
  });

  it('tells apart exactly what JSON tells apart, in any order and number', () => {
    const value = fc.oneof(fc.constantFrom('a', 'b', '1'), fc.constantFrom(1, 2), fc.boolean(), fc.constant(['a']));
    const attributes = fc.uniqueArray(fc.tuple(fc.constantFrom('k', 'l', 'm', '1'), value), {
      selector: ([key]) => key,
    });
    const asked = fc.array(attributes, { maxLength: 60 });
    fc.assert(
      fc.property(asked, (all) => {
        const set = new SeriesSet(1_000, create);
        const bySorted = new Map<string, Series>();
        for (const entries of all) {
          const series = set.of(Object.fromEntries(entries));
          const key = JSON.stringify(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
          expect(bySorted.get(key) ?? series).toBe(series);
          bySorted.set(key, series);
        }
        expect([...set]).toHaveLength(bySorted.size);
        expect(new Set(bySorted.values()).size).toBe(bySorted.size);
      }),
    );
  });
});
