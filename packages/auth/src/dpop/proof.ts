// What makes a proof good (RFC 9449 section 4.3), in the order of the cost of finding out.
import { assertObject, type Clock } from '@macadam/core';
import type { JwtAlgorithm } from '../jwt/algorithms.ts';
import { answerOf } from '../fetch/within.ts';
import { parseCompact } from '../jwt/compact.ts';
import { type JsonObject, own } from '../jwt/strict-json.ts';
import type { SeenBefore } from '../replay.ts';
import type { IncomingHeaders } from '../webhooks/webhook-verifier.ts';
import type { DpopIncomingRequest, DpopProof, ExpectedBinding } from './dpop-verifier.ts';
import { DpopError, type DpopReason } from './errors.ts';
import type { ProofKeys } from './proof-keys.ts';
import { normalUrl, tokenHash } from './proof-target.ts';
import type { ServerNonce } from './server-nonce.ts';

/** What proofs are verified by; all checked. */
export interface ProofRules {
  readonly algorithms: readonly JwtAlgorithm[];
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  readonly keys: ProofKeys;
  readonly seen: SeenBefore;
  readonly nonces: ServerNonce | undefined;
  readonly clock: Clock;
}

const MAX_LENGTH = 8_192;
const MAX_ID_LENGTH = 256;

/** @throws DpopError (`MAC_DPOP_INVALID`). */
export async function verifyProof(
  rules: ProofRules,
  { method, url, headers }: DpopIncomingRequest,
  { accessToken, thumbprint: bound }: ExpectedBinding,
): Promise<DpopProof> {
  const { maxAgeMs, clockToleranceMs, nonces } = rules;
  const text = oneHeader(rules, headers, 'dpop');
  const { header, payload } = parsed(rules, text);
  if (own(header, 'typ') !== 'dpop+jwt') throw refused(rules, 'type');
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) throw refused(rules, 'malformed');
  const algorithm = own(header, 'alg') as JwtAlgorithm;
  if (!rules.algorithms.includes(algorithm)) throw refused(rules, 'algorithm');

  if (own(payload, 'htm') !== method) throw refused(rules, 'method');
  const target = own(payload, 'htu');
  const asked = normalUrl(url);
  if (typeof target !== 'string' || asked === undefined || normalUrl(target) !== asked) throw refused(rules, 'url');
  const issuedAt = own(payload, 'iat');
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt)) throw refused(rules, 'malformed');
  const ageMs = rules.clock.now() - issuedAt * 1_000;
  if (!(ageMs <= maxAgeMs + clockToleranceMs)) throw refused(rules, 'tooOld');
  if (!(ageMs >= -clockToleranceMs)) throw refused(rules, 'tooNew');
  const id = own(payload, 'jti');
  if (typeof id !== 'string' || id === '' || id.length > MAX_ID_LENGTH) throw refused(rules, 'malformed');

  const jwk = own(header, 'jwk');
  const key = rules.keys.read(jwk, algorithm);
  if (key === undefined) throw refused(rules, 'key');
  const { check, thumbprint } = key;
  if (!(await check(text))) throw refused(rules, 'signature');
  rules.keys.remember(jwk as object, algorithm, key);
  if (accessToken !== undefined && own(payload, 'ath') !== tokenHash(accessToken)) throw refused(rules, 'token');
  if (bound !== undefined && bound !== thumbprint) throw refused(rules, 'binding');
  const nonce = own(payload, 'nonce');
  if (nonces !== undefined && !(typeof nonce === 'string' && nonces.accepts(nonce))) throw refused(rules, 'nonce');
  // Last, so that only who has the key can have anything remembered.
  await refuseSeen(rules, `${thumbprint}.${id}`);
  return Object.freeze({ thumbprint, issuedAtMs: issuedAt * 1_000 });
}

/** An error of these rules, with what the client needs to do better. */
export function refused({ algorithms, nonces }: ProofRules, reason: DpopReason, cause?: unknown): DpopError {
  return new DpopError(reason, { algorithms, cause, nonce: nonces?.current() });
}

/** The only value of a header, in a list of one or alone. A list of several is refused; those that Node has joined are in no form that is read. */
export function oneHeader(rules: ProofRules, headers: IncomingHeaders, name: string): string {
  assertObject('headers', headers);
  const get = headers['get' as keyof IncomingHeaders] as unknown;
  const found = typeof get === 'function' ? (headers as Headers).get(name) : (headers as Record<string, unknown>)[name];
  const value: unknown = Array.isArray(found) && found.length === 1 ? found[0] : found;
  if (value === undefined || value === null || value === '') throw refused(rules, 'missing');
  if (typeof value !== 'string') throw refused(rules, 'malformed');
  return value;
}

function parsed(rules: ProofRules, text: string): { header: JsonObject; payload: JsonObject } {
  if (text.length > MAX_LENGTH) throw refused(rules, 'malformed');
  try {
    return parseCompact(text);
  } catch {
    throw refused(rules, 'malformed');
  }
}

async function refuseSeen(rules: ProofRules, id: string): Promise<void> {
  let replayed: boolean;
  try {
    replayed = await answerOf(rules.seen(id, rules.maxAgeMs + rules.clockToleranceMs * 2), rules.clock);
  } catch (cause) {
    throw refused(rules, 'replayUnknown', cause);
  }
  // Anything but a plain no is a yes.
  if (replayed !== false) throw refused(rules, 'replayed');
}
