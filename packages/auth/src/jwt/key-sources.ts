import { assertFunction, type Clock, systemRandom } from '@macadam/core';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { JwtAlgorithm } from './algorithms.ts';
import { KeySet } from './key-set.ts';
import { type KeySource, StaticKeys } from './key-source.ts';
import type { JwtVerifierOptions } from './options.ts';
import { RemoteKeys } from './remote-keys.ts';
import { keyFetchSettings } from './settings.ts';

/** Where the keys of an issuer come from: those that were given, or an address. */
export type MakeKeySource = (
  issuer: string | undefined,
  keys: KeySet | URL,
  algorithms: readonly JwtAlgorithm[],
) => KeySource;

/** Checks how keys are fetched, once for all issuers. */
export function keySources(
  options: Pick<JwtVerifierOptions, 'fetch' | 'random' | 'keyFetch'>,
  clock: Clock,
): MakeKeySource {
  const { random = systemRandom, fetch = globalThis.fetch as FetchLike } = options;
  assertFunction('fetch', fetch);
  assertFunction('random', random);
  const keyFetch = keyFetchSettings(options.keyFetch);
  return (issuer, keys, algorithms) =>
    keys instanceof KeySet
      ? new StaticKeys(issuer, keys)
      : new RemoteKeys({ issuer, uri: keys.href, algorithms, fetch, clock, random, ...keyFetch });
}
