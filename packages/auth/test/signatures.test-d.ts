// Compiled, never run: signed messages and permissions, by their types.
import { createSecretKey, type KeyObject } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import type { HttpAuth } from '@macadam/http';
import {
  type CedarEngine,
  type Decision,
  definePermissions,
  openFgaPermissions,
  relationGraph,
  requestSigner,
  signRequest,
  type VerifiedSignature,
  verifyRequest,
  verifyResponse,
} from '../src/index.ts';

const key: KeyObject = createSecretKey(new Uint8Array(32));
export const auth: HttpAuth = requestSigner({ key, keyId: 'k', algorithm: 'hmac-sha256' });
// @ts-expect-error a nonce belongs to one request
requestSigner({ key, keyId: 'k', algorithm: 'hmac-sha256', nonce: 'n' });

const request = { method: 'GET', url: 'https://a/', headers: new Headers() };
// @ts-expect-error PKCS #1 v1.5 is verified, never made
void signRequest(request, { key, keyId: 'k', algorithm: 'rsa-v1_5-sha256' });
// @ts-expect-error a text is no key
void signRequest(request, { key: 'secret', keyId: 'k', algorithm: 'hmac-sha256' });
// @ts-expect-error a response is signed by signResponse
void signRequest({ status: 200, headers: {} }, { key, keyId: 'k', algorithm: 'hmac-sha256' });

const resolveKey = () => ({ key, algorithm: 'hmac-sha256' as const });
export const fromNode = (incoming: IncomingMessage, body: Buffer): Promise<VerifiedSignature> =>
  verifyRequest({ method: 'POST', url: 'https://a/', headers: incoming.headersDistinct, body }, { resolveKey });
export const fromFetch = (response: Response, body: ArrayBuffer): Promise<VerifiedSignature> =>
  verifyResponse({ status: response.status, headers: response.headers, body: new Uint8Array(body) }, { resolveKey });
// @ts-expect-error a key comes with its algorithm
void verifyRequest(request, { resolveKey: () => key });

export const engine: CedarEngine = cedar;

interface User {
  id: string;
}
const graph = relationGraph();
const names = { subject: (user: User) => user.id, object: (doc: { key: string }) => doc.key };
const can = definePermissions<User, { key: string }, 'doc:read' | 'doc:write'>({
  relations: { viewer: graph.relation('viewer', names) },
  rules: [{ id: 'x', actions: ['doc:read'], relations: ['viewer'] }],
});
export const decision: Decision = can({ id: 'u' }, 'doc:write', { key: 'd' });
// @ts-expect-error an action that is not among those
can({ id: 'u' }, 'doc:drop');

const remote = openFgaPermissions<User, { key: string }, 'doc:read'>({
  apiUrl: 'https://fga',
  storeId: 's',
  authorizationModelId: 'm',
  userOf: ({ id }) => id,
  objectOf: (doc) => doc?.key,
  relationOf: { 'doc:read': 'viewer' },
  fetch: globalThis.fetch,
});
export const later: Promise<Decision> = remote({ id: 'u' }, 'doc:read', { key: 'd' }, { onFailure: 'open' });
// @ts-expect-error there is no other answer
void remote({ id: 'u' }, 'doc:read', { key: 'd' }, { onFailure: 'allow' });
