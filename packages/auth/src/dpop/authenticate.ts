import { own } from '../jwt/strict-json.ts';
import { DPOP_KEY } from '../jwt/binding.ts';
import type { VerifyTokenOptions } from '../jwt/jwt-verifier.ts';
import type { DpopIncomingRequest } from './dpop-verifier.ts';
import { oneHeader, type ProofRules, refused, verifyProof } from './proof.ts';

/** Verifies access tokens: a `JwtVerifier` or an `Introspector`. */
export interface TokenVerifier<P> {
  /**
   * Verifies a token and returns its principal.
   * @throws TokenError (`MAC_TOKEN_INVALID`)
   */
  verify(token: string, options?: VerifyTokenOptions): Promise<P>;
}

/** @throws DpopError (`MAC_DPOP_INVALID`), and what `tokens.verify` throws. */
export async function authenticateDpop<P extends { readonly claims: Readonly<Record<string, unknown>> }>(
  rules: ProofRules,
  request: DpopIncomingRequest,
  tokens: TokenVerifier<P>,
  { signal, certificate }: Pick<VerifyTokenOptions, 'signal' | 'certificate'>,
): Promise<P> {
  const token = /^DPoP ([\x21-\x7e]+)$/i.exec(oneHeader(rules, request.headers, 'authorization'))?.[1];
  if (token === undefined) throw refused(rules, 'missing');
  const given = { certificate, confirms: [DPOP_KEY], ...(signal !== undefined && { signal }) };
  const principal = await tokens.verify(token, given);
  const thumbprint = boundKeyOf(principal.claims);
  // A token without a key would let anybody bring a proof by a key of his own.
  if (thumbprint === undefined) throw refused(rules, 'binding');
  await verifyProof(rules, request, { accessToken: token, thumbprint });
  return principal;
}

/**
 * Returns the thumbprint of the key that a token is bound to (`cnf.jkt`, RFC 9449 section 6); `undefined` for a bearer
 * token. A verifier rejects a bound token (`binding`) unless the caller confirms that it verifies the proof.
 *
 * @example
 * ```ts
 * import { boundKeyOf } from '@macadam/auth';
 *
 * if (boundKeyOf({ sub: 'u1' }) !== undefined) throw new Error('a bearer token');
 * ```
 */
export function boundKeyOf(claims: Readonly<Record<string, unknown>>): string | undefined {
  const confirmation = own(claims, 'cnf');
  if (typeof confirmation !== 'object' || confirmation === null) return undefined;
  const thumbprint = own(confirmation as Readonly<Record<string, unknown>>, DPOP_KEY);
  return typeof thumbprint === 'string' ? thumbprint : undefined;
}
