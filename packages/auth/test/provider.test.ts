// A live identity provider, over real sockets: its tokens, its rotation of keys, and its absence.
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import Provider from 'oidc-provider';
import { createJwtVerifier, type FetchLike, type JwtVerifier } from '../src/index.ts';
import { privateJwk, reasonOf, type TestKey, testKey } from './tokens.ts';

const AUDIENCE = 'https://orders.example.com';
const first = testKey('first', 'ES256', 0);
const second = testKey('second', 'ES256', 1);

let server: Server;
let origin: string;
let handler: (...args: never[]) => unknown;

/** The same provider with other keys, the first of which signs. */
function publish(...keys: TestKey[]): void {
  // It warns that its state and its times are those of a development, which is what a test wants.
  for (const level of ['warn', 'info'] as const) vi.spyOn(console, level).mockImplementation(() => {});
  const provider = new Provider(origin, {
    clients: [
      {
        client_id: 'shop',
        client_secret: 'a secret of the test',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: keys.map((key) => ({ ...privateJwk(key), use: 'sig', alg: 'ES256' })) as never },
    ttl: { ClientCredentials: 600 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => AUDIENCE,
        getResourceServerInfo: () => ({
          scope: 'orders:read',
          audience: AUDIENCE,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'ES256' } },
        }),
      },
    },
  });
  handler = provider.callback() as never;
}

async function grant(): Promise<string> {
  const response = await fetch(`${origin}/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from('shop:a+secret+of+the+test').toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'orders:read', resource: AUDIENCE }),
  });
  const answer = (await response.json()) as { access_token: string };
  if (response.status !== 200) throw new Error(JSON.stringify(answer));
  return answer.access_token;
}

beforeAll(async () => {
  server = createServer((request, response) => void handler(request as never, response as never));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  publish(first);
});

afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const made = (fetch?: FetchLike): JwtVerifier =>
  createJwtVerifier({
    issuers: [{ issuer: origin, audience: AUDIENCE, algorithms: ['ES256'], jwksUri: `${origin}/jwks` }],
    ...(fetch !== undefined && { fetch }),
  });

describe('a live identity provider', () => {
  it('gives tokens that are accepted as they come', async () => {
    await using verifier = made();
    const principal = await verifier.verify(await grant());
    expect(principal).toMatchObject({ subject: 'shop', clientId: 'shop', scopes: ['orders:read'], keyId: 'first' });
    expect(verifier.stats().keys[origin]).toMatchObject({ keys: 1, fetches: 1, fetchFailures: 0 });
  });

  it('rotates its key under load, and no token of either key is refused', async () => {
    publish(first);
    await using verifier = made();
    const before = await Promise.all(Array.from({ length: 5 }, grant));
    await Promise.all(before.map((token) => verifier.verify(token)));
    publish(second, first);
    const after = await Promise.all(Array.from({ length: 5 }, grant));
    const tokens = Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? before : after)[n % 5]!);
    const reasons = await Promise.all(tokens.map((token) => reasonOf(verifier.verify(token))));
    expect(new Set(reasons)).toEqual(new Set(['accepted']));
    expect(verifier.stats().keys[origin]).toMatchObject({ keys: 2, fetches: 2 });
  });

  it('goes away, and its tokens are verified with the keys at hand', async () => {
    publish(first);
    await using verifier = made();
    await verifier.verify(await grant());
    const token = await grant();
    const working = handler;
    handler = (_request: never, response: { destroy(): void }) => response.destroy();
    expect(await reasonOf(verifier.verify(token))).toBe('accepted');
    await using cold = made();
    expect(await reasonOf(cold.verify(token))).toBe('keys_unavailable');
    handler = working;
  });
});
