// A33: webhooks, by the vectors of Standard Webhooks and the known mistakes of its implementations.
import { createHmac, generateKeyPairSync, type Hmac } from 'node:crypto';
import { OptionsError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { inspect } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { SignatureError, webhookSigner, webhookVerifier, type WebhookVerifierOptions } from '../src/index.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const OTHER = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const BODY = '{"test": 2432232314}';

/** The vector that implementations of Standard Webhooks share. */
const VECTOR = {
  'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  'webhook-timestamp': '1614265330',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const clock = virtualClock({ now: 1_614_265_330_000 });

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const { d, x } = privateKey.export({ format: 'jwk' });
const PRIVATE = `whsk_${Buffer.from(d!, 'base64url').toString('base64')}`;
const PRIVATE_64 = `whsk_${Buffer.concat([Buffer.from(d!, 'base64url'), Buffer.from(x!, 'base64url')]).toString('base64')}`;
const PUBLIC = `whpk_${Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url').toString('base64')}`;

const verifierFor = (options: Partial<WebhookVerifierOptions> = {}) =>
  webhookVerifier({ secrets: [SECRET], clock, ...options });

async function outcome(
  headers: object,
  body: string | Uint8Array = BODY,
  options: Partial<WebhookVerifierOptions> = {},
) {
  return await verifierFor(options)
    .verify(headers as never, body)
    .then(
      () => 'accepted',
      (error: unknown) => (error instanceof SignatureError ? error.reason : error),
    );
}

describe('A33: a webhook', () => {
  it('is signed and verified as in the vector of Standard Webhooks', async () => {
    expect(webhookSigner({ secrets: [SECRET], clock }).sign(BODY, { id: VECTOR['webhook-id'] })).toEqual(VECTOR);
    expect(await verifierFor().verify(VECTOR, BODY)).toEqual({ id: VECTOR['webhook-id'], timestampMs: clock.now() });
    expect(await outcome(new Headers(VECTOR), Buffer.from(BODY))).toBe('accepted');
    expect(await outcome(VECTOR, BODY, { secrets: [SECRET.slice(6)] })).toBe('accepted');
    expect(await outcome(VECTOR, BODY, { secrets: [Buffer.from(SECRET.slice(6), 'base64')] })).toBe('accepted');
  });

  it('is signed with an Ed25519 key and verified with its public key', async () => {
    for (const secret of [PRIVATE, PRIVATE_64]) {
      const headers = webhookSigner({ secrets: [secret], clock }).sign(BODY);
      expect(headers['webhook-signature']).toMatch(/^v1a,[A-Za-z0-9+/]{86}==$/);
      expect(await outcome(headers, BODY, { secrets: [PUBLIC] })).toBe('accepted');
      expect(await outcome(headers, `${BODY} `, { secrets: [PUBLIC] })).toBe('signature');
      expect(await outcome(headers, BODY, { secrets: [SECRET] })).toBe('signature');
    }
    expect(() => webhookSigner({ secrets: [PUBLIC] })).toThrow(/only verifies/);
  });

  it('is signed with an Ed25519 key as in the vector of the reference implementation in Go', async () => {
    const secrets = ['whsk_VEVTVFNJR05JTkdLRVlET05PVFVTRVRISVNGT1JBTlk='];
    const signature = 'v1a,tQ9V2XOqn7jL/DQenEFpqIugdBVtiMmER5mhSkXBNwM0mkATuDe6KYYUuxqtaiHeYGb7KaaBRdM5WqyeFiL8Ag==';
    const vector = { ...VECTOR, 'webhook-signature': signature };
    expect(webhookSigner({ secrets, clock }).sign(BODY, { id: VECTOR['webhook-id'] })).toEqual(vector);
    expect(await outcome(vector, BODY, { secrets })).toBe('accepted');
  });

  it('is hashed once for each secret, however many signatures it has', async () => {
    const others = Array.from({ length: 31 }, (_, n) => `v1,${Buffer.alloc(32, n).toString('base64')}`);
    const headers = { ...VECTOR, 'webhook-signature': [...others, VECTOR['webhook-signature']].join(' ') };
    const hashed = vi.spyOn(Object.getPrototypeOf(createHmac('sha256', '')) as Hmac, 'update');
    expect(await outcome(headers, BODY, { secrets: [OTHER, SECRET] })).toBe('accepted');
    expect(hashed).toHaveBeenCalledTimes(2);
    hashed.mockRestore();
  });

  it('is accepted while secrets are rotated on either side', async () => {
    const both = webhookSigner({ secrets: [OTHER, SECRET], clock }).sign(BODY);
    expect(await outcome(both)).toBe('accepted');
    expect(await outcome(VECTOR, BODY, { secrets: [OTHER, SECRET] })).toBe('accepted');
    expect(await outcome(VECTOR, BODY, { secrets: [OTHER] })).toBe('signature');
  });

  it('is rejected after any change of its bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async (body, at, flip) => {
          const headers = webhookSigner({ secrets: [SECRET], clock }).sign(body);
          expect(await outcome(headers, body)).toBe('accepted');
          const changed = Uint8Array.from([...body, ...(body.length === 0 ? [0] : [])]);
          changed[at % changed.length]! ^= flip;
          expect(await outcome(headers, changed)).toBe('signature');
        },
      ),
      { numRuns: 50, seed: 7 },
    );
  });

  it('cannot have characters moved between its id and body', async () => {
    const headers = webhookSigner({ secrets: [SECRET], clock }).sign(`1614265330.x`, { id: 'msg_1' });
    const moved = { ...headers, 'webhook-id': 'msg_1.1614265330' };
    expect(await outcome(moved, 'x')).toBe('malformed');
    expect(() => webhookSigner({ secrets: [SECRET] }).sign('x', { id: 'a.b' })).toThrow(OptionsError);
  });

  it.each([
    ['1614265330abc', 'malformed'],
    [' 1614265330', 'malformed'],
    ['1.6e9', 'malformed'],
    ['+1614265330', 'malformed'],
    ['01614265330', 'malformed'],
    ['1614265330.0', 'malformed'],
    ['0x6037A', 'malformed'],
    ['-1', 'malformed'],
    ['', 'missing'],
    [undefined, 'missing'],
    [['1614265330'], 'accepted'],
    [['1614265330', '1614265330'], 'malformed'],
    [[], 'malformed'],
    ['1614265331', 'signature'],
  ])('the timestamp %j: %s', async (timestamp, expected) => {
    expect(await outcome({ ...VECTOR, 'webhook-timestamp': timestamp })).toBe(expected);
  });

  it.each([
    [-300_000, 'accepted'],
    [-301_000, 'tooOld'],
    [300_000, 'accepted'],
    [301_000, 'tooNew'],
  ])('a message from %i ms: %s', async (offsetMs, expected) => {
    const headers = webhookSigner({ secrets: [SECRET], clock }).sign(BODY, { timestampMs: clock.now() + offsetMs });
    expect(await outcome(headers)).toBe(expected);
  });

  it.each([
    ['v2,whatever v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'accepted'],
    ['v1,AAAA v1a,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'accepted'],
    ['v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'signature'],
    ['v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE', 'signature'],
    ['v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=', 'signature'],
    ['g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'signature'],
    ['v1,', 'signature'],
    ['v1, ', 'signature'],
    [Array.from({ length: 33 }, () => 'v1,AAAA').join(' '), 'malformed'],
    [undefined, 'missing'],
  ])('the signatures %j: %s', async (signatures, expected) => {
    expect(await outcome({ ...VECTOR, 'webhook-signature': signatures })).toBe(expected);
  });

  it('is accepted once with seen, and rejected when seen fails', async () => {
    const ids = new Set<string>();
    const stored: number[] = [];
    const seen = (id: string, keepMs: number): boolean => {
      stored.push(keepMs);
      return ids.size === ids.add(id).size;
    };
    expect(await outcome(VECTOR, BODY, { seen })).toBe('accepted');
    expect(await outcome(VECTOR, BODY, { seen })).toBe('replayed');
    // A message from the future, sent again when it is as old as allowed, is the last one that has to be known.
    expect(stored).toEqual([600_001, 600_001]);
    expect(await outcome(VECTOR, BODY, { seen: () => undefined as never })).toBe('replayed');
    expect(await outcome(VECTOR, BODY, { seen: () => Promise.reject(new Error('down')) })).toBe('replayUnknown');
    const forged = { ...VECTOR, 'webhook-id': 'msg_forged' };
    expect(await outcome(forged, BODY, { seen })).toBe('signature');
    expect(ids.has('msg_forged')).toBe(false);
  });

  it('is rejected without headers, and not signed with an invalid id or timestamp', async () => {
    for (const headers of [undefined, null, 'x'] as never[])
      expect(await outcome(headers)).toBeInstanceOf(OptionsError);
    const signer = webhookSigner({ secrets: [SECRET] });
    expect(() => signer.sign('x', { id: 1 as never })).toThrow(OptionsError);
    expect(() => signer.sign('x', { timestampMs: 1e18 })).toThrow(OptionsError);
  });

  it('is rejected when the body was parsed', async () => {
    expect(await outcome(VECTOR, JSON.parse(BODY) as never)).toBeInstanceOf(OptionsError);
  });
});

describe('webhook secrets', () => {
  it.each([
    'whsec_short',
    `whsec_${Buffer.alloc(23).toString('base64')}`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
    `${SECRET} `,
    `whpk_${Buffer.alloc(31).toString('base64')}`,
    `whsk_${Buffer.alloc(33).toString('base64')}`,
    `whxx_${Buffer.alloc(32).toString('base64')}`,
    `whsec_${publicKey.export({ format: 'der', type: 'spki' }).toString('base64')}`,
    '',
    undefined,
  ])('%j is rejected and not shown', (secret) => {
    const made = (): unknown => webhookVerifier({ secrets: [secret as string] });
    expect(made).toThrow(OptionsError);
    try {
      made();
    } catch (error) {
      if (secret !== undefined && secret.length > 12) expect(inspect(error)).not.toContain(secret.slice(6).trim());
    }
  });

  it('are required', () => {
    expect(() => webhookVerifier({ secrets: [] })).toThrow(OptionsError);
    expect(() => webhookSigner({ secrets: [] })).toThrow(OptionsError);
    expect(() => webhookVerifier({ secrets: [SECRET], tolerance: 1 } as never)).toThrow(/toleranceMs/);
  });
});
