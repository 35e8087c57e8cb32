// A secret in the wrong option: the error says what is wrong, and never contains the secret.
import { inspect } from 'node:util';
import { isMacadamError, type OptionsError } from '@macadam/core';
import { expect, it } from 'vitest';
import {
  clientCredentials,
  createDpopVerifier,
  createDpopKey,
  createHmacJwtVerifier,
  createJwsVerifier,
  createIntrospector,
  createJwtVerifier,
  dpop,
  redisTokenStore,
  refreshTokens,
  signRequest,
  tokenExchange,
  verifyApiKey,
  verifyRequest,
  webhookSigner,
  webhookVerifier,
} from '../src/index.ts';

const SECRET = 'correct-horse-battery-staple-of-the-test';
const client = { tokenUrl: 'https://id.example.com/token', clientId: 'shop' };
const hmac = { issuer: 'https://id.example.com', audience: 'shop', algorithm: 'HS256' };
const issuer = { issuer: 'https://id.example.com', audience: 'shop', algorithms: ['ES256'] } as const;
const signing = { key: Buffer.alloc(32, 1), keyId: 'a', algorithm: 'hmac-sha256' } as const;
const order = { method: 'GET', url: 'https://orders.example.com/orders', headers: {} };

const half = { now: () => 0 };
const asking = { introspectionUrl: 'https://a/', clientId: 'a', clientSecret: 'a', audience: 'a' };
it.each<[string, (clock: never) => unknown]>([
  ['createJwtVerifier', (clock) => createJwtVerifier({ issuers: [{ ...issuer, jwksUri: 'https://a/' }], clock })],
  ['createJwsVerifier', (clock) => createJwsVerifier({ algorithms: ['ES256'], jwksUri: 'https://a/', clock })],
  ['createIntrospector', (clock) => createIntrospector({ ...asking, clock })],
  ['createDpopVerifier', (clock) => createDpopVerifier({ clock })],
  ['createDpopKey', (clock) => createDpopKey({ clock })],
  ['clientCredentials', (clock) => clientCredentials({ ...client, clientSecret: 'a', clock })],
  ['signRequest', (clock) => signRequest(order, { ...signing, clock })],
  ['verifyRequest', (clock) => verifyRequest(order, { resolveKey: () => undefined, clock })],
  ['webhookSigner', (clock) => webhookSigner({ secrets: [new Uint8Array(32)], clock })],
  ['webhookVerifier', (clock) => webhookVerifier({ secrets: [new Uint8Array(32)], clock })],
  ['verifyApiKey', (clock) => verifyApiKey('', () => undefined, { clock })],
])('%s rejects an incomplete clock, and names the option', async (name, use) => {
  for (const clock of [half, {}, null, 'x']) {
    const used = Promise.resolve().then(() => use(clock as never));
    await expect(used).rejects.toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: `${name}.clock` });
  }
});

it.each<[string, (secret: never) => unknown, string]>([
  ['webhookVerifier({ secret })', (secret) => webhookVerifier({ secret } as never), 'did you mean secrets'],
  ['webhookVerifier({ secrets: text })', (secrets) => webhookVerifier({ secrets }), 'a list of secrets'],
  ['webhookSigner({ secrets: [text] })', (secret) => webhookSigner({ secrets: [secret] }), 'whsec_'],
  ['createHmacJwtVerifier({ secret })', (secret) => createHmacJwtVerifier({ ...hmac, secret } as never), 'secrets'],
  [
    'a text for bytes',
    (secret) => createHmacJwtVerifier({ ...hmac, secrets: [{ secret }] } as never),
    'bytes (a Uint8Array)',
  ],
  [
    'clientCredentials({ client_secret })',
    (it) => clientCredentials({ ...client, client_secret: it } as never),
    'clientSecret',
  ],
  [
    'a secret and a key',
    (it) => clientCredentials({ ...client, clientSecret: it, privateKey: {} as never }),
    'privateKey',
  ],
  [
    'a secret and a certificate',
    (it) => clientCredentials({ ...client, clientSecret: it, clientAuth: 'tls_client_auth' }),
    'tls_client_auth',
  ],
  [
    'privateKey: { key: text }',
    (key) => clientCredentials({ ...client, privateKey: { key, algorithm: 'ES256' } }),
    'PEM',
  ],
  [
    'tokenExchange({ subject_token })',
    (it) => tokenExchange({ ...client, subject_token: it } as never),
    'subjectToken',
  ],
  [
    'refreshTokens({ refresh_token })',
    (it) => refreshTokens({ ...client, refresh_token: it } as never),
    'refreshToken',
  ],
  [
    'createHmacJwtVerifier({ secrets: text })',
    (secrets) => createHmacJwtVerifier({ ...hmac, secrets } as never),
    'a list of',
  ],
  [
    'createHmacJwtVerifier({ secrets: [text] })',
    (one) => createHmacJwtVerifier({ ...hmac, secrets: [one] } as never),
    'object',
  ],
  ['webhookVerifier(text)', (secret) => webhookVerifier(secret), 'an object'],
  ['clientCredentials(text)', (secret) => clientCredentials(secret), 'an object'],
  ['privateKey: text', (it) => clientCredentials({ ...client, privateKey: it }), 'an object'],
  ['dpop: text', (it) => clientCredentials({ ...client, clientSecret: 'a', dpop: it }), 'createDpopKey()'],
  ['dpop(tokens, text)', (it) => dpop(clientCredentials({ ...client, clientSecret: 'a' }), it), 'createDpopKey()'],
  ['createDpopVerifier({ nonce: text })', (nonce) => createDpopVerifier({ nonce }), 'an object'],
  [
    'a tokenUrl that cannot be read, with a password',
    (it) => clientCredentials({ ...client, clientSecret: 'a', tokenUrl: `https://a:${it as string}@a:99999/token` }),
    'an https URL',
  ],
  [
    'a string instead of a key set',
    (jwks) => createJwtVerifier({ issuers: [{ ...issuer, jwks }] }),
    'a set of sound keys',
  ],
  ['a string instead of headers', (headers) => signRequest({ ...order, headers }, signing), 'pairs of name and value'],
  ['createIntrospector({ secret })', (secret) => createIntrospector({ secret } as never), 'left out'],
  ['createDpopVerifier({ nonce: { secret: text } })', (secret) => createDpopVerifier({ nonce: { secret } }), 'bytes'],
  [
    'redisTokenStore({ encryptionKeys: text })',
    (it) => redisTokenStore({ eval() {} } as never, { encryptionKeys: it }),
    '32 bytes',
  ],
  ['createJwtVerifier({ secret })', (secret) => createJwtVerifier({ secret } as never), 'left out'],
  ['signRequest with a text', (key) => signRequest(order, { key, keyId: 'a', algorithm: 'hmac-sha256' }), 'key'],
  ['verifyRequest({ key })', (key) => verifyRequest(order, { key } as never), 'left out'],
  [
    'verifyRequest of a path',
    (it) => verifyRequest({ ...order, url: `/orders?token=${it as string}` }, { resolveKey: () => undefined }),
    'a whole URL',
  ],
])('%s is rejected with a helpful message without the secret', async (_what, use, helps) => {
  const error = await Promise.resolve()
    .then(() => use(SECRET as never))
    .then(
      () => expect.unreachable('it was accepted'),
      (thrown: unknown) => thrown as OptionsError,
    );
  expect(isMacadamError(error, 'MAC_INVALID_OPTIONS')).toBe(true);
  expect(error.message).toContain(helps);
  expect(error.message).not.toContain('is undefined');
  expect(inspect(error) + JSON.stringify(error)).not.toContain(SECRET.slice(0, 12));
});
