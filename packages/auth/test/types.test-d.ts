// Compiled, never run: what the types promise and what they refuse.
import {
  createJwtVerifier,
  type Principal,
  type VerifiedWebhook,
  verifyApiKey,
  webhookVerifier,
} from '../src/index.ts';

const verifier = createJwtVerifier({
  issuers: [{ issuer: 'i', audience: ['a', 'b'], algorithms: ['ES256'], jwksUri: 'https://i/jwks' }],
  fetch: globalThis.fetch,
});
export const principal: Promise<Principal> = verifier.verify('token', { signal: new AbortController().signal });

// @ts-expect-error the audience is mandatory
createJwtVerifier({ issuers: [{ issuer: 'i', algorithms: ['ES256'], jwksUri: 'https://i/jwks' }] });
// @ts-expect-error the algorithms are mandatory
createJwtVerifier({ issuers: [{ issuer: 'i', audience: 'a', jwksUri: 'https://i/jwks' }] });
// @ts-expect-error a shared secret is for createHmacVerifier
createJwtVerifier({ issuers: [{ issuer: 'i', audience: 'a', algorithms: ['HS256'], jwksUri: 'https://i/jwks' }] });
// @ts-expect-error a pattern is no audience
createJwtVerifier({ issuers: [{ issuer: 'i', audience: /a/, algorithms: ['ES256'], jwksUri: 'https://i/jwks' }] });

void principal.then((one) => {
  // @ts-expect-error a principal is not changed
  one.subject = 'root';
  // @ts-expect-error nor are its scopes
  one.scopes.push('all');
});

const record = { hash: 'h', owner: 'team-1' };
export const owner: Promise<string> = verifyApiKey('key', () => record).then((caller) => caller.record.owner);

const inbox = webhookVerifier({ secrets: ['whsec_'] });
export const fromNode: Promise<VerifiedWebhook> = inbox.verify(
  {} as import('node:http').IncomingHttpHeaders,
  new Uint8Array(),
);
export const fromFetch: Promise<VerifiedWebhook> = inbox.verify(new Headers(), 'body');
// @ts-expect-error a parsed body is not what was signed
void inbox.verify(new Headers(), { type: 'invoice.paid' });
