// Compiled, never run: what the public types accept and reject.
import type { HttpAuth } from '@macadam/http';
import {
  bearer,
  clientCredentials,
  createDpopKey,
  createDpopVerifier,
  createHmacJwsVerifier,
  createIntrospector,
  createJwsVerifier,
  createJwtVerifier,
  dpop,
  type IntrospectedToken,
  type Principal,
  refreshTokens,
  type VerifiedJws,
  type VerifiedWebhook,
  verifyApiKey,
  type VerifyApiKeyOptions,
  webhookVerifier,
  TokenError,
} from '../src/index.ts';

const verifier = createJwtVerifier({
  issuers: [{ issuer: 'i', audience: ['a', 'b'], algorithms: ['ES256'], jwksUri: 'https://i/jwks' }],
  fetch: globalThis.fetch,
});
export const principal: Promise<Principal> = verifier.verify('token', { signal: new AbortController().signal });

export const jwksUri: string | undefined = new TokenError('keysUnavailable', { jwksUri: 'https://a/jwks' }).jwksUri;
// @ts-expect-error the audience is mandatory
createJwtVerifier({ issuers: [{ issuer: 'i', algorithms: ['ES256'], jwksUri: 'https://i/jwks' }] });
// @ts-expect-error the algorithms are mandatory
createJwtVerifier({ issuers: [{ issuer: 'i', audience: 'a', jwksUri: 'https://i/jwks' }] });
// @ts-expect-error a shared secret is for createHmacJwtVerifier
createJwtVerifier({ issuers: [{ issuer: 'i', audience: 'a', algorithms: ['HS256'], jwksUri: 'https://i/jwks' }] });
// @ts-expect-error a pattern is no audience
createJwtVerifier({ issuers: [{ issuer: 'i', audience: /a/, algorithms: ['ES256'], jwksUri: 'https://i/jwks' }] });

export const document: Promise<VerifiedJws> = createJwsVerifier({
  algorithms: ['Ed25519'],
  jwksUri: 'https://i/jwks',
}).verify('a.b.c');
// @ts-expect-error a shared secret is for createHmacJwsVerifier
createJwsVerifier({ algorithms: ['HS256'], jwksUri: 'https://i/jwks' });
// @ts-expect-error a text is no secret
createHmacJwsVerifier({ algorithm: 'HS256', secrets: [{ secret: 'text' }] });
void document.then((one) => {
  // @ts-expect-error what was signed is not changed
  one.header['alg'] = 'none';
});

void principal.then((one) => {
  // @ts-expect-error a principal is not changed
  one.subject = 'root';
  // @ts-expect-error nor are its scopes
  one.scopes.push('all');
});

const record = { hash: 'h', owner: 'team-1' };
export const owner: Promise<string> = verifyApiKey('key', () => record).then((caller) => caller.record.owner);
// Options that are made elsewhere do not decide what a record is.
const noting = { prefix: 'acme', onUse: (used: { hash: string }, atMs: number) => `${used.hash} ${atMs}` };
const general: VerifyApiKeyOptions = { environment: 'live', onUse: (used) => used.scopes };
for (const options of [noting, general]) {
  void verifyApiKey('key', () => record, options).then((caller) => caller.record.owner.length);
}
void verifyApiKey('key', () => Promise.resolve(record), { onUse: (used) => used.owner.length });
// @ts-expect-error a listener that wants what the record does not have
void verifyApiKey('key', () => record, { onUse: (used: { hash: string; usedAtMs: number }) => used.usedAtMs });

const inbox = webhookVerifier({ secrets: ['whsec_'] });
export const fromNode: Promise<VerifiedWebhook> = inbox.verify(
  {} as import('node:http').IncomingHttpHeaders,
  new Uint8Array(),
);
export const fromFetch: Promise<VerifiedWebhook> = inbox.verify(new Headers(), 'body');
// @ts-expect-error a parsed body is not what was signed
void inbox.verify(new Headers(), { type: 'invoice.paid' });

const client = { tokenUrl: 'https://id/token', clientId: 'orders', clientSecret: 'secret', fetch: globalThis.fetch };
const tokens = clientCredentials(client);
export const atHand: string | undefined = tokens.peekToken();
export const waitedFor: Promise<string> = tokens.getToken({ signal: new AbortController().signal });
const dpopKey = createDpopKey();
// Both fit the option of the HTTP client as they are.
export const auths: HttpAuth[] = [bearer(tokens), bearer('fixed'), dpop(tokens, dpopKey)];
// A source of one's own is enough.
bearer({ getToken: () => Promise.resolve('t'), peekToken: () => 't', invalidate: () => {} });
// @ts-expect-error tokens that cannot be given up are not fit for a 401
bearer({ getToken: () => Promise.resolve('t'), peekToken: () => 't' });
// @ts-expect-error the URL is mandatory
clientCredentials({ clientId: 'orders', clientSecret: 'secret' });
// @ts-expect-error a session begins with a refresh token
refreshTokens(client);
// @ts-expect-error a proof needs a key
dpop(tokens);

const introspector = createIntrospector({
  introspectionUrl: 'https://id/i',
  clientId: 'a',
  clientSecret: 'b',
  audience: [],
});
// Either kind of verifier, and the caller keeps its type.
const proofs = createDpopVerifier();
const request = { method: 'GET', url: 'https://orders/', headers: new Headers() };
export const byToken: Promise<Principal> = proofs.authenticate(request, verifier);
export const byIssuer: Promise<IntrospectedToken> = proofs.authenticate(request, introspector);
