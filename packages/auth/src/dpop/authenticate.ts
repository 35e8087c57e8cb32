import { own } from '../jwt/strict-json.ts';
import type { VerifyOptions } from '../jwt/jwt-verifier.ts';
import type { DpopIncomingRequest } from './dpop-verifier.ts';
import { oneHeader, type ProofRules, refused, verifyProof } from './proof.ts';

/** What verifies the token itself: a `JwtVerifier`, or an `Introspector`. */
export interface TokenVerifier<P> {
  verify(token: string, options?: VerifyOptions): Promise<P>;
}

/** @throws DpopError (`MAC_DPOP_INVALID`), and what `tokens.verify` throws. */
export async function authenticateDpop<P extends { readonly claims: Readonly<Record<string, unknown>> }>(
  rules: ProofRules,
  request: DpopIncomingRequest,
  tokens: TokenVerifier<P>,
  signal: AbortSignal | undefined,
): Promise<P> {
  const token = /^DPoP ([\x21-\x7e]+)$/i.exec(oneHeader(rules, request.headers, 'authorization'))?.[1];
  if (token === undefined) throw refused(rules, 'missing');
  const principal = await tokens.verify(token, signal === undefined ? {} : { signal });
  const thumbprint = boundKeyOf(principal.claims);
  // A token without a key would let anybody bring a proof by a key of his own.
  if (thumbprint === undefined) throw refused(rules, 'binding');
  await verifyProof(rules, request, { accessToken: token, thumbprint });
  return principal;
}

/**
 * The thumbprint of the key that a token is bound to (`cnf.jkt`, RFC 9449 section 6); `undefined` for a bearer token.
 * Where bearer tokens are accepted, one that has it must be refused: it was stolen, or its client forgot the proof.
 */
export function boundKeyOf(claims: Readonly<Record<string, unknown>>): string | undefined {
  const confirmation = own(claims, 'cnf');
  if (typeof confirmation !== 'object' || confirmation === null) return undefined;
  const thumbprint = own(confirmation as Readonly<Record<string, unknown>>, 'jkt');
  return typeof thumbprint === 'string' ? thumbprint : undefined;
}
