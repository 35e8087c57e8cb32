import { assertFunction, assertKnownOptions, assertObject, OptionsError, systemRandom } from '@macadam/core';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { JwtVerifier } from './jwt-verifier.ts';
import { KeySet } from './key-set.ts';
import { StaticKeys } from './key-source.ts';
import { JWT_VERIFIER_OPTIONS, type JwtVerifierOptions } from './options.ts';
import { RemoteKeys } from './remote-keys.ts';
import { asymmetricIssuer, keyFetchSettings, verifierSettings } from './settings.ts';
import { type Issuer, Verifier } from './verifier.ts';

/**
 * A verifier for the tokens of one or more issuers, with public keys.
 *
 * Everything that decides is configured for each issuer and mandatory: its name, the audience, the algorithms, the keys.
 * A token can only fail to match. Make one verifier and keep it: it holds the keys and remembers tokens.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), also for weak, private or broken keys in `jwks`.
 * @example
 * ```ts
 * import { createJwtVerifier } from '@macadam/auth';
 *
 * const verifier = createJwtVerifier({
 *   issuers: [
 *     {
 *       issuer: 'https://id.example.com',
 *       audience: 'https://orders.example.com',
 *       algorithms: ['ES256'],
 *       jwksUri: 'https://id.example.com/jwks',
 *     },
 *   ],
 * });
 * await verifier.close();
 * ```
 */
export function createJwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  assertObject('options', options);
  assertKnownOptions('', options, JWT_VERIFIER_OPTIONS);
  const settings = verifierSettings(options);
  const { issuers, random = systemRandom, fetch = globalThis.fetch as FetchLike } = options;
  assertFunction('fetch', fetch);
  assertFunction('random', random);
  const keyFetch = keyFetchSettings(options.keyFetch);
  if (!Array.isArray(issuers) || issuers.length === 0) {
    throw new OptionsError('issuers', issuers, 'a list of issuers that is not empty');
  }
  const names = new Set<string>();
  const made = issuers.map((one, at): Issuer => {
    const { rules, algorithms, keys } = asymmetricIssuer(`issuers[${at}].`, one);
    const { issuer } = rules;
    if (names.has(issuer)) {
      throw new OptionsError(`issuers[${at}].issuer`, issuer, 'named once; make a verifier for each kind of token');
    }
    names.add(issuer);
    if (keys instanceof KeySet) return { rules, keys: new StaticKeys(issuer, keys) };
    const { clock } = settings;
    return {
      rules,
      keys: new RemoteKeys({ issuer, uri: keys.href, algorithms, fetch, clock, random, ...keyFetch }),
    };
  });
  return new Verifier(settings, made);
}
