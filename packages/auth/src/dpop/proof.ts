// Verifies a DPoP proof (RFC 9449 section 4.3), cheap checks first.
import { assertObject, type Clock } from '@macadam/core';
import type { JwtAlgorithm } from '../jwt/algorithms.ts';
import { settleCallback } from '../with-timeout.ts';
import { parseCompactJwt } from '../jwt/compact.ts';
import { type JsonObject, own } from '../jwt/strict-json.ts';
import type { SeenBefore } from '../replay.ts';
import { type IncomingHeaders, readSingleHeader } from '../incoming-headers.ts';
import type { DpopIncomingRequest, DpopProof, ExpectedBinding } from './dpop-verifier.ts';
import { DpopError, type DpopReason } from './errors.ts';
import type { ProofKeyCache } from './proof-keys.ts';
import { normalizeUrl, accessTokenHash } from './proof-claims.ts';
import type { ServerNonce } from './server-nonce.ts';

/** The options of a verifier of proofs, validated. */
export interface ProofRules {
  readonly algorithms: readonly JwtAlgorithm[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  readonly keys: ProofKeyCache;
  readonly seen: SeenBefore;
  readonly nonces: ServerNonce | undefined;
  readonly clock: Clock;
}

const MAX_PROOF_LENGTH = 8_192;
const MAX_JTI_LENGTH = 256;

/** @throws DpopError (`MAC_DPOP_INVALID`). */
export async function verifyProof(
  rules: ProofRules,
  { method, url, headers }: DpopIncomingRequest,
  { accessToken, thumbprint: bound }: ExpectedBinding,
): Promise<DpopProof> {
  const { maxAgeMs, clockToleranceMs, nonces } = rules;
  const text = singleHeader(rules, headers, 'dpop');
  const { header, payload } = parseProof(rules, text);
  if (own(header, 'typ') !== 'dpop+jwt') throw rejection(rules, 'type');
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) throw rejection(rules, 'malformed');
  const algorithm = own(header, 'alg') as JwtAlgorithm;
  if (!rules.algorithms.includes(algorithm)) throw rejection(rules, 'algorithm');

  if (own(payload, 'htm') !== method) throw rejection(rules, 'method');
  const target = own(payload, 'htu');
  const requestUrl = normalizeUrl(url);
  if (typeof target !== 'string' || requestUrl === undefined || normalizeUrl(target) !== requestUrl)
    throw rejection(rules, 'url');
  const issuedAt = own(payload, 'iat');
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt)) throw rejection(rules, 'malformed');
  const ageMs = rules.clock.now() - issuedAt * 1_000;
  if (!(ageMs <= maxAgeMs + clockToleranceMs)) throw rejection(rules, 'tooOld');
  if (!(ageMs >= -clockToleranceMs)) throw rejection(rules, 'tooNew');
  const jti = own(payload, 'jti');
  if (typeof jti !== 'string' || jti === '' || jti.length > MAX_JTI_LENGTH) throw rejection(rules, 'malformed');

  const jwk = own(header, 'jwk');
  const key = rules.keys.get(jwk, algorithm);
  if (key === undefined) throw rejection(rules, 'key');
  const { check, thumbprint } = key;
  if (!(await check(text))) throw rejection(rules, 'signature');
  rules.keys.add(jwk as object, algorithm, key);
  if (accessToken !== undefined && own(payload, 'ath') !== accessTokenHash(accessToken))
    throw rejection(rules, 'token');
  if (bound !== undefined && bound !== thumbprint) throw rejection(rules, 'binding');
  const nonce = own(payload, 'nonce');
  if (nonces !== undefined && !(typeof nonce === 'string' && nonces.accepts(nonce))) throw rejection(rules, 'nonce');
  // Last, so that only the holder of the key can add entries to the replay store.
  await rejectReplay(rules, `${thumbprint}.${jti}`);
  return Object.freeze({ thumbprint, issuedAtMs: issuedAt * 1_000 });
}

/** The error for a proof, with the algorithms and the nonce that the client needs for the next one. */
export function rejection({ algorithms, nonces }: ProofRules, reason: DpopReason, cause?: unknown): DpopError {
  return new DpopError(reason, { algorithms, cause, nonce: nonces?.current() });
}

/** @throws DpopError `missing` or `malformed` */
export function singleHeader(rules: ProofRules, headers: IncomingHeaders, name: string): string {
  assertObject('headers', headers);
  const field = readSingleHeader(headers, name);
  if (field.problem !== undefined) throw rejection(rules, field.problem);
  return field.value;
}

function parseProof(rules: ProofRules, text: string): { header: JsonObject; payload: JsonObject } {
  if (text.length > MAX_PROOF_LENGTH) throw rejection(rules, 'malformed');
  try {
    return parseCompactJwt(text);
  } catch {
    throw rejection(rules, 'malformed');
  }
}

async function rejectReplay(rules: ProofRules, jti: string): Promise<void> {
  const { seen, maxAgeMs, clockToleranceMs, clock } = rules;
  let replayed: boolean;
  try {
    // Longer than a proof is valid by 1 ms, since it is valid in the last one, too.
    replayed = await settleCallback(seen(jti, maxAgeMs + 2 * clockToleranceMs + 1), clock);
  } catch (cause) {
    throw rejection(rules, 'replayUnknown', cause);
  }
  // Anything but `false` rejects the proof: a callback that forgets to return must not accept it.
  if (replayed !== false) throw rejection(rules, 'replayed');
}
