import type { Attributes } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Series, SeriesSet } from './series.ts';

const create = (attributes: Attributes): Series => new Series(attributes, [0, 0], [1]);

describe('SeriesSet', () => {
  it('finds the same series for any order of attributes, and another for another type of value', () => {
    const set = new SeriesSet(100, create);
    const series = set.find({ method: 'GET', status: 200 });
    expect(set.find({ status: 200, method: 'GET' })).toBe(series);
    expect(set.find({ method: 'GET', status: 200 })).toBe(series);
    expect(set.find({ method: 'GET', status: '200' })).not.toBe(series);
    expect(set.find({ method: 'GET' })).not.toBe(series);
    expect(set.find({})).toBe(set.find({}));
    expect([...set]).toHaveLength(4);
  });

  it('compares the current values of the attributes, not the identity of the object', () => {
    const set = new SeriesSet(100, create);
    const attributes: Attributes = { status: 200, tags: ['a'] };
    const first = set.find(attributes);
    attributes['status'] = 500;
    const second = set.find(attributes);
    (attributes['tags'] as string[]).push('b');
    const third = set.find(attributes);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(first.attributes).toEqual({ status: 200, tags: ['a'] });
  });

  it('counts values beyond the limit in one overflow series, and still finds the series before it', () => {
    const set = new SeriesSet(3, create);
    const known = [set.find({ id: 1 }), set.find({ id: 2 })];
    const other = set.find({ id: 3 });
    expect(other.attributes).toEqual({ 'otel.metric.overflow': true });
    expect(set.find({ id: 4 })).toBe(other);
    expect([set.find({ id: 1 }), set.find({ id: 2 })]).toEqual(known);
    expect([...set]).toEqual([...known, other]);
  });

  it('distinguishes exactly the attributes that their sorted JSON distinguishes', () => {
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
          const series = set.find(Object.fromEntries(entries));
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
