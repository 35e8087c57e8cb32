import {
  respond,
  startFaultServer,
  stallMidBody,
  type FaultResponse,
  type FaultServer,
  type ReceivedRequest,
} from '@macadam/testkit';
import { Pool } from 'undici';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpStatusError, HttpClient, HttpClientOptions } from '../src/index.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

let home: FaultServer;
let other: FaultServer;

/** `/to/302/path` answers with that redirect; everything else is echoed. */
function redirecting(request: ReceivedRequest): FaultResponse {
  const match = /^\/to\/(\d{3})\/(.*)$/.exec(request.path);
  if (match === null)
    return { json: { method: request.method, path: request.path, headers: request.headers, body: request.bodyText } };
  return { status: Number(match[1]), headers: { location: decodeURIComponent(match[2] as string) }, text: 'moved' };
}

beforeEach(async () => {
  home = await startFaultServer({ handle: redirecting });
  other = await startFaultServer({ handle: redirecting });
});
afterEach(async () => {
  await Promise.all([home.close(), other.close()]);
  await closeClients();
});

function clientFor(options: Partial<HttpClientOptions> = {}): HttpClient {
  return noBackoffClient({ baseUrl: home.url, ...options });
}

const redirect = (status: number, location: string): string => `/to/${status}/${encodeURIComponent(location)}`;

describe('a redirect within the origin', () => {
  test('is followed on the same connection, and is in attempts', async () => {
    const response = await clientFor().get(redirect(302, redirect(301, '/end?a=1')));
    expect(response.data).toMatchObject({ method: 'GET', path: '/end?a=1' });
    expect(response.attempts.map(({ status }) => status)).toEqual([302, 301, 200]);
    expect(home.stats().connections).toBe(1);
  });

  test('303 after a POST sends a GET without the body', async () => {
    const { data } = await clientFor().post(redirect(303, '/end'), { json: { a: 1 } });
    expect(data).toMatchObject({ method: 'GET', path: '/end', body: '' });
    expect((data as { headers: Record<string, string> }).headers['content-type']).toBeUndefined();
  });

  test('307 repeats method and body: text, a form, a stream from a function', async () => {
    const client = clientFor();
    expect((await client.post(redirect(307, '/end'), { json: { a: 1 } })).data).toMatchObject({
      method: 'POST',
      body: '{"a":1}',
    });
    const body = async function* () {
      yield 'piece ';
      yield 'by piece';
    };
    expect((await client.put(redirect(308, '/end'), { body })).data).toMatchObject({
      method: 'PUT',
      body: 'piece by piece',
    });
    const form = await client.post(redirect(307, '/end'), { multipart: { a: 'x' } });
    expect((form.data as { body: string }).body).toContain('name="a"');
  });

  test('a redirect loop ends at the maximum', async () => {
    await home.setFaults([{ fault: respond(302, { headers: { location: '/again' } }) }]);
    const error = await failure(clientFor().get('/again'));
    expect(error).toMatchObject({ code: 'MAC_HTTP_STATUS', status: 302, redirectRefused: 'tooMany' });
    expect((error as HttpStatusError).attempts).toHaveLength(6);
    expect(home.requests).toHaveLength(6);
  });

  test('an unencoded location is read as UTF-8', async () => {
    const client = clientFor({ timeoutMs: 1_000 });
    await home.setFaults([
      {
        fault: respond(302, { headers: { location: Buffer.from('/caf\u00e9 1?q=\u00fc').toString('latin1') } }),
        when: { requests: [1, 1] },
      },
      { fault: respond(302, { headers: { location: '/caf\u00e9' } }), when: { requests: [2, 2] } },
    ]);
    await client.get('/a');
    expect(home.requests.map(({ path }) => path)).toEqual(['/a', '/caf%C3%A9%201?q=%C3%BC', '/caf%C3%A9']);
  });

  test('a redirect that leads to a retryable failure is retried from the start', async () => {
    await home.setFaults([{ fault: respond(503), when: { requests: [2, 2] } }]);
    const { data, attempts } = await clientFor().get(redirect(302, '/end'));
    expect(data).toMatchObject({ path: '/end' });
    expect(attempts.map(({ status }) => status)).toEqual([302, 503, 302, 200]);
  });

  test('a redirect whose body stalls is followed', async () => {
    await home.setFaults([{ fault: stallMidBody({ afterBytes: 1 }), when: { requests: [1, 1] } }]);
    expect((await clientFor().get(redirect(302, '/end'))).data).toMatchObject({ path: '/end' });
  });

  test('a redirect counts against the time limit of its attempt', async () => {
    await home.setFaults([{ fault: stallMidBody({ afterBytes: 1 }), when: { requests: [2, 9] } }]);
    const error = await failure(clientFor({ timeoutMs: 300, retry: false }).get(redirect(302, '/end')));
    expect(error).toMatchObject({
      code: 'MAC_TIMEOUT',
      attempts: [{ status: 302 }, { status: 200, errorCode: 'MAC_TIMEOUT' }],
    });
  });
});

describe('a redirect to another origin', () => {
  test('is not followed by default, and the error says why', async () => {
    const error = await failure(
      clientFor().get(redirect(302, `${other.url}/end`), { headers: { authorization: 'canary' } }),
    );
    expect(error).toMatchObject({ status: 302, redirectRefused: 'crossOrigin', retryable: false });
    expect((error as Error).message).toContain('crossOrigin');
    expect((error as HttpStatusError).response.headers.get('location')).toBe(`${other.url}/end`);
    expect(other.requests).toHaveLength(0);
  });

  test('that is allowed is sent without secrets and without the deadline', async () => {
    const client = clientFor({
      redirects: { crossOrigin: true, secretHeaders: ['X-Team-Secret'] },
      auth: { authorize: () => ({ 'x-signature': 'canary' }) },
    });
    const { attempts } = await client.get(redirect(307, `${other.url}/end`), {
      headers: { cookie: 'canary', 'x-team-secret': 'canary', authorization: 'canary', 'x-plain': 'yes' },
    });
    expect(home.requests[0]?.headers).toMatchObject({ cookie: 'canary', 'x-signature': 'canary' });
    const received = other.requests[0]?.headers ?? {};
    expect(received['x-plain']).toBe('yes');
    expect(received.host).toBe(`127.0.0.1:${other.port}`);
    expect(JSON.stringify(received)).not.toContain('canary');
    expect(received).not.toHaveProperty('x-request-timeout-ms');
    expect(attempts.map(({ endpoint }) => endpoint)).toEqual([`127.0.0.1:${home.port}`, `127.0.0.1:${other.port}`]);
  });

  test('that leads back is sent without credentials, since another origin chose the path', async () => {
    const client = clientFor({
      redirects: { crossOrigin: true },
      auth: { authorize: () => ({ authorization: 'canary' }) },
    });
    await client.get(redirect(302, `${other.url}${redirect(302, `${home.url}/admin/delete`)}`));
    expect(home.requests[1]?.path).toBe('/admin/delete');
    expect(home.requests[1]?.headers.authorization).toBeUndefined();
  });

  test('is not followed when the dispatcher sends to one origin only', async () => {
    const pool = new Pool(home.url);
    const client = clientFor({ dispatcher: pool, redirects: { crossOrigin: true } });
    expect(await failure(client.get(redirect(302, `${other.url}/end`)))).toMatchObject({
      redirectRefused: 'crossOrigin',
    });
    expect((await client.get(redirect(302, '/end'))).status).toBe(200);
    await pool.close();
  });
});

test('with redirects: false a 3xx is an HttpStatusError, or a response with throwOnStatus: false', async () => {
  const client = clientFor({ redirects: false });
  expect(await failure(client.get(redirect(302, '/end')))).toMatchObject({ status: 302, redirectRefused: undefined });
  const response = await client.get(redirect(302, '/end'), { throwOnStatus: false });
  expect([response.status, response.headers.get('location')]).toEqual([302, '/end']);
});
