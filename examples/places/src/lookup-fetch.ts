// The lookup as most teams first write it: `fetch` and a check of the status.
import { type Lookup, LookupError } from './lookup.ts';
import type { Place } from './place.ts';

export function fetchLookup(gazetteerUrl: string): Lookup {
  let attempts = 0;
  return {
    async find(name) {
      attempts += 1;
      try {
        const response = await fetch(`${gazetteerUrl}/places/${encodeURIComponent(name)}`);
        if (!response.ok) throw new Error(`the gazetteer answered ${response.status}`);
        const { places } = (await response.json()) as { places: Place[] };
        return places;
      } catch (error) {
        throw new LookupError(502, 'The gazetteer cannot be reached.', error);
      }
    },
    activity: () => ({ attempts, retries: 0, budgetRefusals: 0, circuitRefusals: 0, transitions: [] }),
    close: async () => {},
  };
}
