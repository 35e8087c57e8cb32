// What is run: the same service, made in five ways.

export interface VariantOptions {
  title: string;
  /** Arguments of the service. */
  service: readonly string[];
  /** Arguments of the gazetteer. */
  upstream?: readonly string[];
  /** How many of the 2 000 names are asked for before the run. */
  warmNames: number;
}

const finite = ['--clerks', '4'];

export type Variant = 'fetch' | 'macadam' | 'cached' | 'open' | 'guarded';

export const variants: Readonly<Record<Variant, VariantOptions>> = {
  fetch: { title: 'plain fetch', service: ['--lookup', 'fetch'], warmNames: 200 },
  macadam: { title: 'Macadam', service: ['--lookup', 'macadam'], warmNames: 200 },
  cached: { title: 'and a cache', service: ['--lookup', 'macadam', '--cache'], warmNames: 2_000 },
  open: { title: 'open door', service: ['--lookup', 'macadam'], upstream: finite, warmNames: 200 },
  guarded: { title: 'guarded', service: ['--lookup', 'macadam', '--guard'], upstream: finite, warmNames: 200 },
};
