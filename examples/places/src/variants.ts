// The variants of the service that are run.

export interface VariantOptions {
  title: string;
  /** Arguments of the service. */
  service: readonly string[];
  /** Arguments of the gazetteer. */
  gazetteer?: readonly string[];
  /** How many of the 2 000 names are requested before the run. */
  warmNames: number;
}

const limitedCapacity = ['--workers', '4'];

export type Variant = 'fetch' | 'macadam' | 'cached' | 'unprotected' | 'protected';

export const variants: Readonly<Record<Variant, VariantOptions>> = {
  fetch: { title: 'plain fetch', service: ['--lookup', 'fetch'], warmNames: 200 },
  macadam: { title: 'Macadam', service: ['--lookup', 'macadam'], warmNames: 200 },
  cached: { title: 'with a cache', service: ['--lookup', 'macadam', '--cache'], warmNames: 2_000 },
  unprotected: { title: 'unprotected', service: ['--lookup', 'macadam'], gazetteer: limitedCapacity, warmNames: 200 },
  protected: {
    title: 'protected',
    service: ['--lookup', 'macadam', '--protect'],
    gazetteer: limitedCapacity,
    warmNames: 200,
  },
};
