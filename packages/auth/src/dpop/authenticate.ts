import { own } from '../jwt/strict-json.ts';
import { JWK_THUMBPRINT } from '../jwt/binding.ts';
import type { VerifyTokenOptions } from '../jwt/jwt-verifier.ts';
import type { DpopIncomingRequest } from './dpop-verifier.ts';
import { singleHeader, type ProofRules, rejection, verifyProof } from './proof.ts';

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
  const token = /^DPoP ([\x21-\x7e]+)$/i.exec(singleHeader(rules, request.headers, 'authorization'))?.[1];
  if (token === undefined) throw rejection(rules, 'missing');
  const verifyOptions = { certificate, confirms: [JWK_THUMBPRINT], ...(signal !== undefined && { signal }) };
  const principal = await tokens.verify(token, verifyOptions);
  const thumbprint = boundKeyOf(principal.claims);
  // For an unbound token anyone could create a proof with a key of their own.
  if (thumbprint === undefined) throw rejection(rules, 'binding');
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
  const thumbprint = own(confirmation as Readonly<Record<string, unknown>>, JWK_THUMBPRINT);
  return typeof thumbprint === 'string' ? thumbprint : undefined;
}
