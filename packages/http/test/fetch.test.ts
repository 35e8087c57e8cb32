import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { createClient as createHeyClient } from '@hey-api/client-fetch';
import {
  respond,
  stallMidBody,
  startFaultServer,
  type FaultResponse,
  type FaultServer,
  type ReceivedRequest,
} from '@macadam/testkit';
import createOpenapiClient, { type Middleware } from 'openapi-fetch';
import { FormData as UndiciFormData } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sse, type HttpAuth, type HttpClient, type HttpClientOptions } from '../src/index.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

let upstream: FaultServer;

/** `/to/302/path` redirects there, `/nowhere` nowhere, `/cookies` sets two, everything else is echoed. */
function answer(request: ReceivedRequest): FaultResponse {
  const { method, path, headers, bodyText: body } = request;
  if (path === '/cookies') return { headers: { 'set-cookie': ['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2'] } };
  if (path === '/nowhere') return { status: 302 };
  const redirect = /^\/to\/(\d{3})\/(.*)$/.exec(path);
  if (redirect !== null)
    return { status: Number(redirect[1]), headers: { location: decodeURIComponent(redirect[2] as string) } };
  return { json: { method, path, body, type: headers['content-type'], id: '7', total: 4_200 } };
}

beforeEach(async () => {
  upstream = await startFaultServer({ handle: answer });
});
afterEach(async () => {
  await upstream.close();
  await closeClients();
});

function clientFor(options: Partial<HttpClientOptions> = {}): HttpClient {
  return noBackoffClient({ baseUrl: upstream.url, ...options } as HttpClientOptions);
}

describe('client.fetch', () => {
  test('takes a URL, a string, a path or a Request, and works unbound', async () => {
    const { fetch } = clientFor({ baseUrl: `${upstream.url}/v1` });
    for (const input of [
      new URL(`${upstream.url}/v1/a?b=1`),
      `${upstream.url}/v1/a?b=1#c`,
      '/a?b=1',
      new Request(`${upstream.url}/v1/a?b=1`),
    ]) {
      const response = await fetch(input);
      expect(response).toBeInstanceOf(Response);
      expect(response).toMatchObject({
        status: 200,
        ok: true,
        statusText: 'OK',
        url: `${upstream.url}/v1/a?b=1`,
        redirected: false,
        type: 'basic',
      });
      expect(response.headers.get('content-type')).toContain('application/json');
      expect(await response.json()).toMatchObject({ method: 'GET', path: '/v1/a?b=1', body: '' });
    }
  });

  test.each<[string, NonNullable<RequestInit['body']>, string, string | undefined]>([
    ['text', 'hello', 'hello', 'text/plain'],
    ['parameters', new URLSearchParams({ a: 'b c' }), 'a=b+c', 'application/x-www-form-urlencoded'],
    ['a Blob', new Blob(['{}'], { type: 'application/json' }), '{}', 'application/json'],
    ['bytes, which have no type', new TextEncoder().encode('bytes'), 'bytes', undefined],
    ['a view into bytes', new DataView(new TextEncoder().encode('a view').buffer, 2), 'view', undefined],
    ['a buffer', new TextEncoder().encode('buffer').buffer, 'buffer', undefined],
    ['a Blob without a type', new Blob(['blob']), 'blob', undefined],
    ['a stream', new Blob(['stream']).stream(), 'stream', undefined],
  ])('sends %s', async (_what, body, text, type) => {
    const init = { method: 'post', body, duplex: 'half' } as RequestInit;
    const received = (await (await clientFor().fetch('/a', init)).json()) as Record<string, string>;
    expect(received).toMatchObject({ method: 'POST', body: text });
    if (type === undefined) expect(received).not.toHaveProperty('type');
    else expect(received['type']).toContain(type);
  });

  test('sends a form, and the body and content type of a Request', async () => {
    const { fetch } = clientFor();
    const form = new FormData();
    form.append('a', 'b');
    expect(((await (await fetch('/a', { method: 'POST', body: form })).json()) as { type: string }).type).toMatch(
      /^multipart\/form-data; boundary=/,
    );
    const request = new Request(`${upstream.url}/a`, {
      method: 'PUT',
      body: '{"a":1}',
      headers: { 'content-type': 'application/json', 'X-Team': 'a' },
    });
    expect(await (await fetch(request)).json()).toMatchObject({
      method: 'PUT',
      body: '{"a":1}',
      type: 'application/json',
    });
    expect(upstream.requests[1]?.headers).toMatchObject({ 'x-team': 'a', 'content-length': '7' });
    expect(await failure(fetch(request))).toBeInstanceOf(TypeError);
  });

  test('retries a Request with a body, and a POST with an Idempotency-Key', async () => {
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 2] } }]);
    const { fetch } = clientFor();
    const put = new Request(`${upstream.url}/a`, { method: 'PUT', body: 'again' });
    expect(await (await fetch(put)).json()).toMatchObject({ body: 'again' });
    expect(upstream.requests.map(({ bodyText }) => bodyText)).toEqual(['again', 'again', 'again']);
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 1] } }]);
    const keyed = await fetch('/a', { method: 'POST', body: 'x', headers: { 'Idempotency-Key': 'k' } });
    expect(keyed.status).toBe(200);
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 1] } }]);
    expect((await fetch('/a', { method: 'POST', body: 'x' })).status).toBe(503);
  });

  test('resolves for any status, with a body of any size', async () => {
    await upstream.setFaults([{ fault: respond(404, { text: 'x'.repeat(500_000) }) }]);
    const response = await clientFor().fetch('/a');
    expect([response.status, response.ok, (await response.text()).length]).toEqual([404, false, 500_000]);
  });

  test.each([204, 205, 304])('%i has no body', async (status) => {
    await upstream.setFaults([{ fault: respond(status) }]);
    const response = await clientFor().fetch('/a');
    expect([response.status, response.body]).toEqual([status, null]);
  });

  test('keeps Set-Cookie headers apart', async () => {
    const { headers } = await clientFor().fetch('/cookies');
    expect(headers.getSetCookie()).toEqual(['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2']);
  });

  test('redirect: follow, manual and error', async () => {
    const { fetch } = clientFor();
    const followed = await fetch('/to/302/%2Fend');
    expect([followed.status, followed.redirected, followed.url]).toEqual([200, true, `${upstream.url}/end`]);
    const manual = await fetch('/to/302/%2Fend', { redirect: 'manual' });
    expect([manual.status, manual.headers.get('location'), manual.redirected]).toEqual([302, '/end', false]);
    for (const path of ['/to/302/%2Fend', '/nowhere']) {
      expect(await failure(fetch(path, { redirect: 'error' }))).toBeInstanceOf(TypeError);
    }
    const away = await failure(fetch(`/to/302/${encodeURIComponent('http://other.example/')}`));
    expect(away).toMatchObject({ code: 'MAC_HTTP_STATUS', redirectRefused: 'crossOrigin' });
  });

  test('a redirect that is not followed has its complete body, or releases its connection', async () => {
    await upstream.setFaults([{ fault: respond(302, { text: 'x'.repeat(200_000), headers: { location: '/end' } }) }]);
    const client = clientFor();
    const manual = await client.fetch('/a', { redirect: 'manual' });
    expect(await manual.text()).toHaveLength(200_000);
    await upstream.setFaults([{ fault: stallMidBody({ afterBytes: 1 }) }]);
    expect(await failure(client.fetch('/to/302/%2Fend', { redirect: 'error' }))).toBeInstanceOf(TypeError);
    await client.close();
  });

  test('the content type of a form is sent', async () => {
    const form = new FormData();
    form.append('a', 'b');
    await clientFor({ headers: { 'content-type': 'application/json' } }).fetch('/a', { method: 'POST', body: form });
    const type = upstream.requests[0]?.headers['content-type'] as string;
    const { bodyText } = upstream.requests[0] as ReceivedRequest;
    expect((await new Response(bodyText, { headers: { 'content-type': type } }).formData()).get('a')).toBe('b');
  });

  test('null removes the signal of a Request, but not its body, as in the standard', async () => {
    const { fetch } = clientFor();
    const request = new Request(`${upstream.url}/a`, { method: 'PUT', body: 'x', signal: AbortSignal.abort() });
    expect(await (await fetch(request, { signal: null, body: null })).json()).toMatchObject({ body: 'x' });
    expect((await fetch('/a', null as unknown as RequestInit)).status).toBe(200);
  });

  test('cache modes that bypass stores bypass the cache of the client', async () => {
    await upstream.setFaults([{ fault: respond(200, { json: {}, headers: { 'cache-control': 'max-age=60' } }) }]);
    const { fetch } = clientFor({ cache: {} });
    const cached = { cache: 'no-store' } as RequestInit;
    await (await fetch('/a')).text();
    await (await fetch('/a', cached)).text();
    await (await fetch(new Request(`${upstream.url}/a`, { cache: 'no-cache' } as RequestInit))).text();
    await (await fetch('/a')).text();
    expect(upstream.requests.map(({ headers }) => headers['cache-control'])).toEqual([
      undefined,
      'no-cache, no-store',
      'max-age=0',
    ]);
    const own = { ...cached, headers: { 'cache-control': 'max-stale=5' } };
    await (await fetch('/b', own)).text();
    expect(upstream.requests[3]?.headers['cache-control']).toBe('max-stale=5');
  });

  test('rejects integrity, which it does not check', async () => {
    const error = await failure(clientFor().fetch('/a', { integrity: 'sha256-AAAA' } as RequestInit));
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'fetch.integrity' });
  });

  test.each([
    ['UTF-8', Buffer.from('Très bien 🦊')],
    ['Latin-1', Buffer.from('Tr\xe8s bien', 'latin1')],
  ])('accepts a reason phrase in %s', async (_what, phrase) => {
    const head = Buffer.concat([Buffer.from('HTTP/1.1 200 '), phrase, Buffer.from('\r\ncontent-length: 2\r\n\r\nok')]);
    const server = createServer((socket) => socket.once('data', () => socket.end(head))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const response = await clientFor({ baseUrl: `http://127.0.0.1:${port}` }).fetch('/a');
    expect([response.status, response.clone().statusText, await response.text()]).toEqual([
      200,
      phrase.toString(),
      'ok',
    ]);
    server.close();
  });

  test('a clone has the url, status and redirected of its original', async () => {
    const response = await clientFor().fetch('/to/302/%2Fend');
    const clone = response.clone().clone();
    expect(clone).toMatchObject({ url: `${upstream.url}/end`, redirected: true, status: 200 });
    expect(await clone.text()).toBe(await response.text());
  });

  test('rejects an unknown redirect mode, as the standard does', async () => {
    const error = await failure(clientFor().fetch('/a', { redirect: 'never' } as never));
    expect(error).toBeInstanceOf(TypeError);
  });

  test('accepts a FormData of another implementation, and sends a Blob with its length', async () => {
    const form = new UndiciFormData();
    form.append('a', '1');
    const { fetch } = clientFor();
    await fetch('/a', { method: 'POST', body: form as unknown as FormData });
    expect(upstream.requests[0]).toMatchObject({ headers: { 'content-type': expect.stringMatching(/^multipart\//) } });
    expect(upstream.requests[0]?.bodyText).toContain('name="a"\r\n\r\n1\r\n');
    await fetch('/a', { method: 'POST', body: new Blob(['abc']) });
    expect(upstream.requests[1]).toMatchObject({ headers: { 'content-length': '3' }, bodyText: 'abc' });
  });

  test('the signal cancels before sending, while waiting and while the body is read', async () => {
    const { fetch } = clientFor();
    const reason = new Error('enough');
    expect(await failure(fetch('/a', { signal: AbortSignal.abort(reason) }))).toBe(reason);
    const controller = new AbortController();
    const request = new Request(`${upstream.url}/a`, { signal: controller.signal });
    const call = failure(fetch(request));
    controller.abort(reason);
    expect(await call).toBe(reason);
    expect(upstream.requests.filter(({ outcome }) => outcome === 'answered')).toHaveLength(0);
  });

  test('an abort while the body is read rejects with its reason', async () => {
    await upstream.setFaults([{ fault: stallMidBody({ afterBytes: 1 }) }]);
    const controller = new AbortController();
    const response = await clientFor().fetch('/a', { signal: controller.signal });
    const reading = failure(response.text());
    controller.abort('enough');
    expect(await reading).toBe('enough');
  });

  test('streams the body, and cancelling it ends the request', async () => {
    await upstream.setFaults([{ fault: respond(200, { text: 'data: 1\n\ndata: 2\n\n' }) }]);
    const { fetch } = clientFor();
    const response = await fetch('/events');
    const data: string[] = [];
    for await (const event of sse(response.body as unknown as AsyncIterable<Uint8Array>)) data.push(event.data);
    expect(data).toEqual(['1', '2']);
    const other = await fetch('/events');
    await other.body?.cancel();
    expect((await fetch('/events')).status).toBe(200);
  });

  test.each([
    ['another origin', 'https://example.com/a'],
    ['another origin without scheme', '//example.com/a'],
    ['credentials', 'CREDENTIALS'],
    ['no URL', 'nonsense'],
    ['no URL, with credentials', 'http://user:canary@[nonsense'],
    ['null', null as unknown as string],
  ])('rejects %s', async (_what, input) => {
    const url = input === 'CREDENTIALS' ? upstream.url.replace('//', '//user:canary@') : input;
    const error = (await failure(clientFor().fetch(url))) as Error;
    expect(error).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path: 'fetch.input' });
    expect(inspect(error)).not.toContain('canary');
    expect(upstream.requests).toHaveLength(0);
  });

  test('rejects a GET with a body, and every call after close()', async () => {
    const client = clientFor();
    expect(await failure(client.fetch('/a', { body: 'x' }))).toBeInstanceOf(TypeError);
    await client.close();
    expect(await failure(client.fetch('/a'))).toMatchObject({ code: 'MAC_CLOSED' });
  });
});

describe('AC41: clients on top of fetch see one request and one response, whatever the attempts', () => {
  interface paths {
    '/invoices/{id}': {
      get: {
        parameters: { path: { id: string }; query?: { expand?: boolean } };
        responses: { 200: { content: { 'application/json': { id: string; total: number } } } };
      };
      put: {
        parameters: { path: { id: string } };
        requestBody: { content: { 'application/json': { total: number } } };
        responses: { 200: { content: { 'application/json': { id: string; body: string } } } };
      };
    };
  }

  /** Gives `t1`, and `t2` after that was turned down. */
  function refreshing(): HttpAuth {
    let number = 1;
    return { authorize: () => ({ authorization: `Bearer t${number}` }), invalidate: () => void number++ };
  }

  test('openapi-fetch', async () => {
    await upstream.setFaults([
      { fault: respond(503), when: { requests: [1, 1] } },
      { fault: respond(401), when: { requests: [2, 2] } },
    ]);
    const billing = clientFor({ auth: refreshing() });
    const api = createOpenapiClient<paths>({ baseUrl: upstream.url, fetch: billing.fetch });
    const seen: string[] = [];
    const middleware: Middleware = {
      onRequest: ({ request }) => void seen.push(request.method),
      onResponse: ({ response }) => void seen.push(String(response.status)),
    };
    api.use(middleware);
    const { data, response } = await api.GET('/invoices/{id}', {
      params: { path: { id: '7' }, query: { expand: true } },
    });
    expect(data).toMatchObject({ id: '7', total: 4_200 });
    expect(response.status).toBe(200);
    expect(seen).toEqual(['GET', '200']);
    expect(upstream.requests.map(({ headers, path }) => [headers.authorization, path])).toEqual([
      ['Bearer t1', '/invoices/7?expand=true'],
      ['Bearer t1', '/invoices/7?expand=true'],
      ['Bearer t2', '/invoices/7?expand=true'],
    ]);
    const put = await api.PUT('/invoices/{id}', { params: { path: { id: '7' } }, body: { total: 1 } });
    expect(put.data?.body).toBe('{"total":1}');
  });

  test('hey-api', async () => {
    await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 1] } }]);
    const billing = clientFor();
    const api = createHeyClient({ baseUrl: upstream.url, fetch: billing.fetch as typeof fetch });
    const seen: string[] = [];
    api.interceptors.response.use((response: Response) => {
      seen.push(String(response.status));
      return response;
    });
    const { data } = await api.get({ url: '/invoices/{id}', path: { id: '7' } });
    expect(data).toMatchObject({ id: '7', total: 4_200 });
    const put = await api.put({
      url: '/invoices/{id}',
      path: { id: '7' },
      body: { total: 1 },
      headers: { 'content-type': 'application/json' },
    });
    expect(put.data).toMatchObject({ body: '{"total":1}' });
    expect(seen).toEqual(['200', '200']);
    expect(upstream.requests).toHaveLength(3);
  });
});
