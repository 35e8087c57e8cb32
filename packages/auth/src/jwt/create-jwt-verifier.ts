import { assertKnownOptions, assertObject, OptionsError, underPath } from '@macadam/core';
import type { JwtVerifier } from './jwt-verifier.ts';
import { keySourceFactory } from './key-source-factory.ts';
import { instrumentedVerifier } from './instrumented-verifier.ts';
import { JWT_VERIFIER_OPTIONS, type JwtVerifierOptions } from './options.ts';
import { asymmetricIssuer, verifierSettings } from './settings.ts';
import type { Issuer } from './verifier.ts';

/**
 * Creates a verifier of the JWTs of one or more issuers, with public keys. Issuer, audience, algorithms and keys are
 * required for each issuer; nothing in a token can change them. Create one verifier and keep it: it holds the keys and
 * a cache of verified tokens.
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
  assertObject('createJwtVerifier', options);
  return underPath('createJwtVerifier', () => makeJwtVerifier(options));
}

function makeJwtVerifier(options: JwtVerifierOptions): JwtVerifier {
  assertKnownOptions('', options, JWT_VERIFIER_OPTIONS);
  const settings = verifierSettings(options);
  const sources = keySourceFactory(options, settings.clock);
  const { issuers } = options;
  if (!Array.isArray(issuers) || issuers.length === 0) {
    throw new OptionsError('issuers', issuers, 'a list of issuers that is not empty');
  }
  const names = new Set<string>();
  const checkedIssuers = issuers.map((one, at): Issuer => {
    const { rules, algorithms, keys } = asymmetricIssuer(`issuers[${at}].`, one);
    const { issuer } = rules;
    if (names.has(issuer)) {
      throw new OptionsError(
        `issuers[${at}].issuer`,
        issuer,
        'unique in the list; create one verifier for each kind of token',
      );
    }
    names.add(issuer);
    return { rules, keys: sources(issuer, keys, algorithms) };
  });
  return instrumentedVerifier(settings, checkedIssuers);
}
