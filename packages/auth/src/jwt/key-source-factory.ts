import { assertFunction, type Clock, systemRandom } from '@macadam/core';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { JwtAlgorithm } from './algorithms.ts';
import { KeySet } from './key-set.ts';
import { type KeySource, StaticKeySource } from './key-source.ts';
import type { JwtVerifierOptions } from './options.ts';
import { RemoteKeySource } from './remote-key-source.ts';
import { keyFetchSettings } from './settings.ts';

/** Creates the key source of one issuer, from given keys or the URL of its key set. */
export type CreateKeySource = (
  issuer: string | undefined,
  keys: KeySet | URL,
  algorithms: readonly JwtAlgorithm[],
) => KeySource;

/** Validates the options about fetching once; the returned function uses them for each issuer. */
export function keySourceFactory(
  options: Pick<JwtVerifierOptions, 'fetch' | 'random' | 'keyFetch'>,
  clock: Clock,
): CreateKeySource {
  const { random = systemRandom, fetch = globalThis.fetch as FetchLike } = options;
  assertFunction('fetch', fetch);
  assertFunction('random', random);
  const keyFetch = keyFetchSettings(options.keyFetch);
  return (issuer, keys, algorithms) =>
    keys instanceof KeySet
      ? new StaticKeySource(issuer, keys)
      : new RemoteKeySource({ issuer, url: keys, algorithms, fetch, clock, random, ...keyFetch });
}
