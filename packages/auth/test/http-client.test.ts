// bearer() and dpop() with the client of @macadam/http, an identity provider and an API, over real sockets.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { currentWork, runWork } from '@macadam/core';
import { createHttpClient, type HttpAuth, type HttpClient } from '@macadam/http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  bearer,
  clientCredentials,
  createDpopKey,
  createDpopVerifier,
  createJwtVerifier,
  dpop,
  DpopError,
  type JwtVerifier,
  TokenError,
} from '../src/index.ts';
import { AUDIENCE, IdentityProvider } from './identity-provider.ts';
import { testKey } from './tokens.ts';

const provider = new IdentityProvider();
const dpopVerifier = createDpopVerifier({ nonce: { secret: new Uint8Array(32).fill(3) } });
const revoked = new Set<string>();
const seen: { authorization: string | undefined; status: number }[] = [];
let verifier: JwtVerifier;
let api: Server;
let url: string;
let clients: HttpClient[] = [];

/** An API that accepts bound tokens with their proof and unbound ones as Bearer, and rejects bound ones as Bearer. */
async function answer(request: { method?: string; url?: string; headers: Record<string, unknown> }): Promise<{
  status: number;
  headers: Record<string, string>;
  body: object;
}> {
  const headers = request.headers as Record<string, string>;
  const authorization = headers['authorization'] ?? '';
  const nonce = dpopVerifier.nonce() ?? '';
  try {
    if (revoked.has(authorization)) throw new TokenError('revoked');
    const incoming = { method: request.method ?? '', url: url + request.url, headers };
    const principal = authorization.startsWith('DPoP ')
      ? await dpopVerifier.authenticate(incoming, verifier)
      : await verifier.verify(authorization.replace('Bearer ', ''));
    return { status: 200, headers: { 'dpop-nonce': nonce }, body: { client: principal.clientId } };
  } catch (error) {
    const challenge = error instanceof DpopError ? error.challenge : 'Bearer error="invalid_token"';
    return { status: 401, headers: { 'www-authenticate': challenge, 'dpop-nonce': nonce }, body: {} };
  }
}

beforeAll(async () => {
  await provider.start(testKey('key-0'));
  verifier = createJwtVerifier({
    issuers: [
      { issuer: provider.origin, audience: AUDIENCE, algorithms: ['ES256'], jwksUri: `${provider.origin}/jwks` },
    ],
  });
  api = createServer((request, response) => {
    void answer(request as never).then(({ status, headers, body }) => {
      seen.push({ authorization: request.headers.authorization, status });
      response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
    });
  }).listen(0, '127.0.0.1');
  await once(api, 'listening');
  url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
});
afterAll(async () => {
  await provider.stop();
  await verifier.close();
  api.closeAllConnections();
  api.close();
});
beforeEach(() => {
  provider.requests.length = 0;
  seen.length = 0;
});
afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
});

function clientWith(auth?: HttpAuth): HttpClient {
  const client = createHttpClient({ name: 'orders', baseUrl: url, retry: false, ...(auth !== undefined && { auth }) });
  clients.push(client);
  return client;
}

describe('bearer', () => {
  it('gets a token through one HTTP client for another', async () => {
    const way = createHttpClient({ name: 'identity', baseUrl: provider.origin });
    clients.push(way);
    await using tokens = clientCredentials(provider.client({ fetch: way.fetch }));
    const client = clientWith(bearer(tokens));
    expect((await client.get('/a')).data).toEqual({ client: 'shop' });
    expect(provider.takeRequestCount('/token')).toBe(1);
  });

  it('A27: after a burst of 401 responses requests one token, and retries each request once', async () => {
    await using tokens = clientCredentials(provider.client());
    const client = clientWith(bearer(tokens));
    await client.get('/a');
    revoked.add(`Bearer ${tokens.peekToken()}`);
    provider.requests.length = 0;
    seen.length = 0;
    const responses = await Promise.all(Array.from({ length: 100 }, () => client.get('/a')));
    expect(responses.every(({ status }) => status === 200)).toBe(true);
    expect(provider.takeRequestCount('/token')).toBe(1);
    const refusals = seen.filter(({ status }) => status === 401);
    expect(seen).toHaveLength(100 + refusals.length);
    expect(new Set(seen.filter(({ status }) => status === 200).map(({ authorization }) => authorization)).size).toBe(1);
  });

  it('A27: does not retry a request whose body cannot be read again', async () => {
    await using tokens = clientCredentials(provider.client());
    const client = clientWith(bearer(tokens));
    await client.get('/a');
    revoked.add(`Bearer ${tokens.peekToken()}`);
    seen.length = 0;
    // More than the client buffers for a retry.
    const once = new Blob(['x'.repeat(1_500_000)]).stream();
    await expect(client.post('/a', { body: once })).rejects.toMatchObject({ code: 'MAC_HTTP_STATUS' });
    expect(seen).toHaveLength(1);
  });

  it('rejects a call with the token error as cause when no token can be obtained', async () => {
    await using tokens = clientCredentials(provider.client({ clientSecret: 'wrong' }));
    await expect(clientWith(bearer(tokens)).get('/a')).rejects.toMatchObject({
      code: 'MAC_TOKEN_REQUEST',
      error: 'invalid_client',
    });
    expect(seen).toHaveLength(0);
  });

  it('annotates the unit of work with the caller, and never with a credential', async () => {
    await using tokens = clientCredentials(provider.client());
    const token = await tokens.getToken();
    const notes = await runWork({}, async () => {
      await verifier.verify(token);
      return { ...currentWork()?.annotations };
    });
    expect(notes).toEqual({
      'auth.method': 'jwt',
      'auth.issuer': provider.origin,
      'auth.principal': 'shop',
      'auth.key_id': 'key-0',
    });
    expect(JSON.stringify(notes)).not.toContain(token.slice(-20));
  });
});

describe('a client with a TLS certificate', () => {
  it('gets a token with its certificate (RFC 8705), and none without', async () => {
    const pem = (name: string): Buffer =>
      readFileSync(new URL(`../../http/test/certificates/${name}.pem`, import.meta.url));
    const tls = {
      ca: pem('ca'),
      cert: pem('server'),
      key: pem('server.key'),
      requestCert: true,
      rejectUnauthorized: false,
    };
    const shown: unknown[] = [];
    const identity = createTlsServer(tls, (request, response) => {
      const { authorized } = request.socket as TLSSocket;
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        shown.push([authorized, Object.fromEntries(new URLSearchParams(body))]);
        const answer = authorized
          ? { access_token: 'by-certificate', token_type: 'Bearer' }
          : { error: 'invalid_client' };
        response.writeHead(authorized ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      });
    }).listen(0, '127.0.0.1');
    await once(identity, 'listening');
    const baseUrl = `https://localhost:${(identity.address() as AddressInfo).port}`;
    const own = { cert: pem('client-1'), key: pem('client-1.key') };
    for (const certificate of [own, {}]) {
      const way = createHttpClient({ name: 'identity', baseUrl, tls: { ca: pem('ca'), ...certificate } });
      clients.push(way);
      await using tokens = clientCredentials({
        tokenUrl: `${baseUrl}/token`,
        clientId: 'orders',
        clientAuth: 'tls_client_auth',
        fetch: way.fetch,
      });
      if (certificate === own) expect(await tokens.getToken()).toBe('by-certificate');
      else await expect(tokens.getToken()).rejects.toMatchObject({ error: 'invalid_client', status: 401 });
    }
    expect(shown).toEqual([
      [true, { grant_type: 'client_credentials', client_id: 'orders' }],
      [false, { grant_type: 'client_credentials', client_id: 'orders' }],
    ]);
    identity.closeAllConnections();
    identity.close();
  });
});

describe('A31: dpop', () => {
  it('is challenged for a nonce once, and sends a proof with every later request', async () => {
    const key = createDpopKey();
    await using tokens = clientCredentials(provider.client({ clientId: 'bound', dpop: key }));
    const client = clientWith(dpop(tokens, key));
    expect((await client.get('/a')).data).toEqual({ client: 'bound' });
    expect(seen.map(({ status }) => status)).toEqual([401, 200]);
    for (const path of ['/a', '/b?page=2', '/c/%7Ed']) await client.get(path);
    await client.post('/a', { json: { a: 1 } });
    expect(seen.map(({ status }) => status)).toEqual([401, 200, 200, 200, 200, 200]);
    // The token stayed valid: there were two token requests only because the first one had no nonce of the provider.
    expect(provider.takeRequestCount('/token')).toBe(2);
  });

  it('a stolen bound token is rejected with another key and as Bearer', async () => {
    const key = createDpopKey();
    await using tokens = clientCredentials(provider.client({ clientId: 'bound', dpop: key }));
    await tokens.getToken();
    await expect(clientWith(dpop(tokens, createDpopKey())).get('/a')).rejects.toMatchObject({ status: 401 });
  });

  it('invalidates a token after a 401 that was not about the nonce, once', async () => {
    const key = createDpopKey();
    await using tokens = clientCredentials(provider.client({ clientId: 'bound', dpop: key }));
    const client = clientWith(dpop(tokens, key));
    await client.get('/a');
    revoked.add(`DPoP ${tokens.peekToken()}`);
    provider.requests.length = 0;
    expect((await client.get('/a')).status).toBe(200);
    expect(provider.takeRequestCount('/token')).toBe(1);
    expect(tokens.stats().invalidations).toBe(1);
  });
});
