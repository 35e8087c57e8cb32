// Over real sockets: the client signs the request, the server verifies it and signs the response, the client verifies that.
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  requestSigner,
  type RequestMessage,
  type ResolvedKey,
  SignatureError,
  signResponse,
  verifyRequest,
  verifyResponse,
} from '../src/index.ts';

const shop = generateKeyPairSync('ed25519');
const orders = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const customers = new Map<string, ResolvedKey>([['shop-1', { key: shop.publicKey, algorithm: 'ed25519' }]]);
const nonces = new Set<string>();
const bound = ['@status', 'content-digest', '@method;req', '@target-uri;req'];

let server: Server;
let origin: string;

async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const request: RequestMessage = {
    method: incoming.method!,
    url: `${origin}${incoming.url!}`,
    headers: incoming.headersDistinct,
    body: Buffer.concat(chunks),
  };
  let status = 200;
  let body: string;
  try {
    const seen = (id: string): boolean => nonces.size === nonces.add(id).size;
    const { keyId } = await verifyRequest(request, { resolveKey: (id) => customers.get(id), seen });
    body = `for ${keyId}`;
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    status = error.retryable ? 503 : 401;
    body = error.reason;
  }
  const headers = await signResponse(
    { status, headers: {}, body, request },
    { key: orders.privateKey, keyId: 'orders', algorithm: 'ecdsa-p256-sha256', components: bound },
  );
  outgoing.writeHead(status, headers).end(body);
}

beforeAll(async () => {
  server = createServer((incoming, outgoing) => void answer(incoming, outgoing)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await once(server, 'close');
});

const signer = requestSigner({ key: shop.privateKey, keyId: 'shop-1', algorithm: 'ed25519' });

async function send(request: RequestMessage, headers: Record<string, string>) {
  const response = await fetch(request.url, {
    method: request.method,
    headers: { ...(request.headers as Record<string, string>), ...headers },
    ...(request.body !== undefined && { body: request.body as string }),
  });
  const body = Buffer.from(await response.arrayBuffer());
  const answered = { status: response.status, headers: response.headers, body, request };
  const verified = verifyResponse(answered, {
    resolveKey: () => ({ key: orders.publicKey, algorithm: 'ecdsa-p256-sha256' }),
    requiredComponents: bound,
  });
  return { status: response.status, body: body.toString(), answered, verified };
}

describe('a request and response that are both signed', () => {
  const post = (): RequestMessage => ({
    method: 'POST',
    url: `${origin}/orders?dry=1`,
    headers: { 'content-type': 'application/json' },
    body: '{"sku":"a1"}',
  });

  it('are accepted by both sides', async () => {
    for (const request of [post(), { method: 'GET', url: `${origin}/orders/7`, headers: {} }]) {
      const { status, body, verified } = await send(request, await signer.authorize(request));
      expect({ status, body }).toEqual({ status: 200, body: 'for shop-1' });
      await expect(verified).resolves.toMatchObject({ keyId: 'orders' });
    }
  });

  it('A32: are rejected when the request was changed or replayed', async () => {
    const request = post();
    const headers = await signer.authorize(request);
    expect((await send({ ...request, body: '{"sku":"a2"}' }, headers)).body).toBe('digest');
    expect((await send({ ...request, url: `${origin}/orders?dry=0` }, headers)).body).toBe('signature');
    expect((await send(request, headers)).body).toBe('for shop-1');
    const again = await send(request, headers);
    expect(again).toMatchObject({ status: 401, body: 'replayed' });
    // An error response is signed, too, so that nobody in between can forge one.
    await expect(again.verified).resolves.toMatchObject({ keyId: 'orders' });
  });

  it('are rejected when the response belongs to another request', async () => {
    const request = post();
    const { answered } = await send(request, await signer.authorize(request));
    const moved = { ...answered, request: { ...request, url: `${origin}/orders?dry=2` } };
    const verified = verifyResponse(moved, {
      resolveKey: () => ({ key: orders.publicKey, algorithm: 'ecdsa-p256-sha256' }),
      requiredComponents: bound,
    });
    await expect(verified).rejects.toMatchObject({ reason: 'signature' });
  });
});
