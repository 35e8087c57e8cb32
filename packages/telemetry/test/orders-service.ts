import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { context, SpanKind } from '@opentelemetry/api';
import { bearer, clientCredentials, createApiKey, verifyApiKey } from '@macadam/auth';
import { createCache } from '@macadam/cache';
import { currentWork } from '@macadam/core';
import { createHttpClient } from '@macadam/http';
import { createRateLimiter, tokenBucket } from '@macadam/ratelimit';
import { continueTrace, type Logger, withCanonicalLine, withSpan } from '../src/index.ts';

/** A small service that uses every package: `GET /orders/<id>` reads an invoice of the service behind it. */
export interface OrdersService {
  readonly url: string;
  /** The API key for the header `authorization`. */
  readonly apiKey: string;
  /** The descriptions of all objects of the service. */
  describe(): string;
  close(): Promise<void>;
}

/** @param secret - part of every credential of the service, so that tests can search for it */
export async function startOrders(log: Logger, upstreamUrl: string, secret: string): Promise<OrdersService> {
  const { key: apiKey, id, hash } = createApiKey({ prefix: 'orders', environment: 'test' });
  const limiter = createRateLimiter({ name: 'per-key', limits: [tokenBucket({ limit: 100, periodMs: 1_000 })] });
  const rates = createCache<number>({ name: 'rates' });
  const tokens = clientCredentials({
    tokenUrl: 'https://issuer.internal/token',
    clientId: 'orders',
    clientSecret: `${secret}-client-secret-of-some-length`,
    fetch: () =>
      Promise.resolve(
        Response.json({ access_token: `${secret}-token`, token_type: 'Bearer', expires_in: 300 }) as never,
      ),
  });
  const billing = createHttpClient({
    name: 'billing',
    baseUrl: upstreamUrl,
    auth: bearer(tokens),
    retry: { maxAttempts: 3 },
  });

  const answer = async (request: IncomingMessage): Promise<unknown> => {
    const key = String(request.headers.authorization).slice('Bearer '.length);
    const caller = await verifyApiKey(key, (wanted) => (wanted === id ? { hash } : undefined), { prefix: 'orders' });
    const decision = await limiter.take(caller.id);
    currentWork()?.annotate({ allowed: decision.allowed });
    const invoice = request.url?.split('/')[2] ?? '';
    log.info({ headers: request.headers, url: request.url }, 'order read with %s', request.headers.authorization);
    const rate = await rates.getOrLoad('EUR', () => Promise.resolve(1.25));
    const { data } = await billing.get('/invoices/{id}', {
      params: { id: invoice },
      query: { access_token: secret },
      headers: { cookie: `session=${secret}` },
    });
    return { rate, data };
  };

  const server = createServer((request, response) => {
    const { context: caller } = continueTrace(request.headers, { trusted: true });
    const work = context.with(caller, () =>
      withSpan('GET /orders/{id}', { kind: SpanKind.SERVER, attributes: { authorization: secret } }, () =>
        withCanonicalLine(log, { name: 'GET /orders/{id}', timeoutMs: 5_000 }, () => answer(request)),
      ),
    );
    work.then(
      (data) => response.end(JSON.stringify(data)),
      (error: unknown) => {
        log.error({ err: error }, 'order not read');
        response.writeHead(502).end(inspect(error, { depth: 9 }));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const all = [limiter, rates, tokens, billing, log];
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    apiKey,
    describe: () =>
      all.map((one) => `${'describe' in one ? one.describe() : ''} ${inspect(one, { depth: 9 })}`).join('\n') +
      inspect([limiter.stats(), rates.stats(), tokens.stats(), billing.stats(), log.stats()], { depth: 9 }),
    close: async () => {
      server.close().closeAllConnections();
      await billing.close();
      await rates.close();
    },
  };
}
