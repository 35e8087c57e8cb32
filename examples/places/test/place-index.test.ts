import { describe, expect, test } from 'vitest';
import { createPlaceIndex, normalizeName } from '../src/place-index.ts';

const city = (name: string, country: string, admin1: string, lat = '1', lng = '2') => ({
  ...{ name, country, admin1, lat, lng },
});

describe('the index', () => {
  const index = createPlaceIndex([
    city('Springfield', 'US', 'OR', '44.04624', '-123.02203'),
    city('Springfield', 'US', 'IL'),
    city('Springfield', 'AU', '04'),
    city('São Paulo', 'BR', '27', '-23.5475', '-46.63611'),
    city('Al ‘Uqayr', 'SA', '06'),
  ]);

  test.each([
    ['São Paulo', 'as it is written'],
    ['sao paulo', 'without accents'],
    ['SÃO  PAULO ', 'in capitals, with spaces'],
    ['Sa\u0303o Paulo', 'with combining marks'],
  ])('finds %j: %s', (name) => {
    expect(index.find(name)).toEqual([
      { name: 'São Paulo', country: 'BR', region: '27', latitude: -23.5475, longitude: -46.63611 },
    ]);
  });

  test('orders namesakes by country, then region', () => {
    expect(index.find('springfield').map(({ country, region }) => `${country}-${region}`)).toEqual([
      ...['AU-04', 'US-IL', 'US-OR'],
    ]);
  });

  test('finds nothing by a part of a name or by a property name of Object.prototype', () => {
    expect(index.find('spring')).toEqual([]);
    expect(index.find('constructor')).toEqual([]);
    expect(index.find('')).toEqual([]);
  });

  test('samples names from the whole data set, at most all of them', () => {
    expect(index.sampleNames(2)).toEqual(['Springfield', 'Springfield']);
    expect(index.sampleNames(99)).toHaveLength(5);
  });
});

test('the real data set contains every name that it samples', () => {
  const index = createPlaceIndex();
  expect(index.find('reykjavik')).toMatchObject([{ name: 'Reykjavík', country: 'IS' }]);
  const names = index.sampleNames(2_000);
  expect(names).toHaveLength(2_000);
  expect(names.filter((name) => index.find(name).length === 0)).toEqual([]);
});

test('normalizing a name twice changes nothing', () => {
  for (const name of createPlaceIndex().sampleNames(500))
    expect(normalizeName(normalizeName(name))).toBe(normalizeName(name));
});
