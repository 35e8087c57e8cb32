// Callbacks of the user that are called during a verification (stores, key and revocation lookups) may hang: they are
// given up after a time limit. In virtual time.
import { generateKeyPairSync } from 'node:crypto';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import {
  createApiKey,
  createDpopKey,
  createDpopVerifier,
  createJwtVerifier,
  signRequest,
  verifyApiKey,
  verifyRequest,
  webhookSigner,
  webhookVerifier,
} from '../src/index.ts';
import { accessClaims, AUDIENCE, ISSUER, makeToken, testKey } from './tokens.ts';

type Hook = () => Promise<never>;
const secrets = [new Uint8Array(32)];
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const signed = async (clock: VirtualClock) => {
  const request = { method: 'GET', url: 'https://orders.example.com/', headers: {} };
  const key = { key: privateKey, keyId: 'a', algorithm: 'ed25519', nonce: 'n1', clock } as const;
  return { ...request, headers: await signRequest(request, key) };
};

it.each<[string, (hook: Hook, clock: VirtualClock) => Promise<unknown>, string]>([
  [
    'whether a token was revoked',
    (isRevoked, clock) => {
      const key = testKey('k1');
      const keys = { algorithms: ['ES256'], jwks: { keys: [key.jwk] } } as const;
      const verifier = createJwtVerifier({
        issuers: [{ issuer: ISSUER, audience: AUDIENCE, ...keys }],
        isRevoked,
        clock,
      });
      return verifier.verify(makeToken(key, accessClaims(clock)));
    },
    'revocationUnknown',
  ],
  [
    'whether a webhook was seen before',
    (seen, clock) => {
      const headers = webhookSigner({ secrets, clock }).sign('{}');
      return webhookVerifier({ secrets, seen, clock }).verify(headers, '{}');
    },
    'replayUnknown',
  ],
  [
    'whether a request was seen before',
    async (seen, clock) => {
      const resolveKey = () => ({ key: publicKey, algorithm: 'ed25519' }) as const;
      return verifyRequest(await signed(clock), { resolveKey, seen, clock });
    },
    'replayUnknown',
  ],
  [
    'for the key of a request',
    async (resolveKey, clock) => verifyRequest(await signed(clock), { resolveKey, clock }),
    'keyUnavailable',
  ],
  [
    'whether a DPoP proof was seen before',
    async (seen, clock) => {
      const target = { method: 'GET', url: 'https://orders.example.com/' };
      const proof = await createDpopKey({ clock }).proof(target);
      return createDpopVerifier({ seen, clock }).verifyProof({ ...target, headers: { dpop: proof } });
    },
    'replayUnknown',
  ],
  [
    'for the record of an API key',
    (lookup, clock) => verifyApiKey(createApiKey({ environment: 'live' }).key, lookup, { clock }),
    'lookupFailed',
  ],
])('a callback that is asked %s and never settles is given up after 5 seconds', async (_, verify, reason) => {
  const clock = virtualClock({ settle: 'eventLoop' });
  let calls = 0;
  const hang = (): Promise<never> => new Promise(() => void calls++);
  const verified = verify(hang, clock).catch((error: unknown) => error);
  let settled = false;
  void verified.then(() => (settled = true));
  await clock.advance(0);
  while (calls === 0) await new Promise((next) => setImmediate(next));
  await clock.advance(4_999);
  expect([calls, settled]).toEqual([1, false]);
  await clock.advance(1);
  expect(await verified).toMatchObject({ reason, retryable: true, cause: { code: 'MAC_TIMEOUT' } });
  expect(clock.pendingTimers).toBe(0);
});

it('the keys of all signatures of a request together are given up after 5 seconds', async () => {
  const clock = virtualClock({ settle: 'eventLoop' });
  const one = await signed(clock);
  const { 'signature-input': input, signature } = one.headers;
  const labels = ['sig1', 'sig2', 'sig3', 'sig4', 'sig5', 'sig6', 'sig7', 'sig8'];
  const all = (field: string) => labels.map((label) => field.replace('sig1', label)).join(', ');
  const headers = { 'signature-input': all(input), signature: all(signature) };
  const resolveKey = (): Promise<never> => new Promise(() => {});
  const verified = verifyRequest({ ...one, headers }, { resolveKey, clock }).catch((error: unknown) => error);
  let settled = false;
  void verified.then(() => (settled = true));
  await clock.advance(4_999);
  expect(settled).toBe(false);
  await clock.advance(1);
  expect(await verified).toMatchObject({ reason: 'keyUnavailable', cause: { code: 'MAC_TIMEOUT', timeoutMs: 5_000 } });
  expect(clock.pendingTimers).toBe(0);
});
