import { constants } from 'node:http2';
import { Readable } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import type { HttpClient } from '../src/index.ts';
import { ca, http2Frames, respond, type FramedRequest } from './http2-frames.ts';
import { closeClients, failure, noBackoffClient } from './client-helpers.ts';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } =
  constants;

const cleanUp: (() => void)[] = [];
afterEach(async () => {
  for (const close of cleanUp.splice(0)) close();
  await closeClients();
});

/** A client of a server that handles its first request by `first`, and responds to the others. */
async function clientOf(
  first: (request: FramedRequest) => void,
  others: (request: FramedRequest) => void = respond,
): Promise<{ client: HttpClient; requests: () => number }> {
  let requests = 0;
  const server = await http2Frames({}, (request) => {
    requests = request.count;
    if (request.count === 1) first(request);
    else others(request);
  });
  cleanUp.push(server.close);
  const client = noBackoffClient({ baseUrl: server.url, tls: { ca } });
  return { client, requests: () => requests };
}

const halfAndReset =
  (code: number) =>
  (request: FramedRequest): void => {
    request.headers();
    request.data('half');
    request.reset(code);
  };

describe('an HTTP/2 response that the server resets half-way', () => {
  const codes = { NGHTTP2_NO_ERROR, NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_ENHANCE_YOUR_CALM };

  test.each(Object.entries(codes))('is not taken for complete (%s), and is retried', async (_name, code) => {
    const { client } = await clientOf(halfAndReset(code));
    const response = await client.get('/a');
    expect(response.text()).toBe('whole');
    expect(response.attempts).toMatchObject([{ errorCode: 'ERR_HTTP2_STREAM_ERROR' }, { status: 200 }]);
  });

  test('fails the call when the request must not be repeated', async () => {
    const { client } = await clientOf(halfAndReset(NGHTTP2_CANCEL));
    expect(await failure(client.post('/a', { json: 1 }))).toMatchObject({
      code: 'MAC_HTTP_NETWORK',
      errorCode: 'ERR_HTTP2_STREAM_ERROR',
      phase: 'response',
    });
  });

  test('fails the body of a stream', async () => {
    const { client } = await clientOf(halfAndReset(NGHTTP2_CANCEL));
    const { body } = await client.stream('GET', '/a');
    expect(await failure(body.toArray())).toMatchObject({ code: 'MAC_HTTP_NETWORK', phase: 'response' });
    const other = await clientOf(halfAndReset(NGHTTP2_CANCEL));
    expect(await failure((await other.client.fetch('/a')).text())).toMatchObject({ code: 'MAC_HTTP_NETWORK' });
  });

  test('is complete if it ended before a reset with NO_ERROR, which only stops the upload', async () => {
    const { client, requests } = await clientOf((request) => {
      respond(request);
      request.reset(NGHTTP2_NO_ERROR);
    });
    expect((await client.get('/a')).text()).toBe('whole');
    expect(requests()).toBe(1);
  });
});

describe('an HTTP/2 request that the server did not process', () => {
  const bodies = {
    json: () => ({ json: 1 }),
    multipart: () => ({ multipart: { a: '1' } }),
    'a function': () => ({ body: () => Readable.from(['a']) }),
  };
  const refusals = {
    'a stream refused': (request: FramedRequest) => request.reset(NGHTTP2_REFUSED_STREAM),
    GOAWAY: (request: FramedRequest) => request.goAway(0, NGHTTP2_NO_ERROR),
    'GOAWAY with an error': (request: FramedRequest) => request.goAway(0, NGHTTP2_INTERNAL_ERROR),
  };
  const rows = Object.entries(refusals).flatMap(([how, refuse]) =>
    Object.entries(bodies).map(([what, body]) => ({ how, what, refuse, body })),
  );

  test.each(rows)('is repeated at no cost: POST of $what, $how', async ({ refuse, body }) => {
    const { client, requests } = await clientOf(refuse);
    expect((await client.post('/a', body())).text()).toBe('whole');
    expect(requests()).toBe(2);
  });

  test('is not repeated when its body was a stream that has been consumed, and the error says so', async () => {
    const { client } = await clientOf(refusals['a stream refused']);
    const body = Readable.from([Buffer.alloc(600_000), Buffer.alloc(600_000)]);
    expect(await failure(client.put('/a', { body }))).toMatchObject({ gaveUp: 'bodyNotReplayable' });
  });
});

test('a graceful GOAWAY with many requests in flight opens no circuit', async () => {
  const inFlight: FramedRequest[] = [];
  const respondOrGoAway = (request: FramedRequest): void => {
    if (request.count > 30) respond(request);
    else if (inFlight.push(request) === 30) request.goAway(0, NGHTTP2_NO_ERROR);
  };
  const { client } = await clientOf(respondOrGoAway, respondOrGoAway);
  const calls = Array.from({ length: 30 }, (_, json) => client.post('/a', { json }));
  expect((await Promise.all(calls)).map((response) => response.text())).toEqual(Array(30).fill('whole'));
  expect(client.stats().policies).toMatchObject({ circuitBreaker: { state: 'closed', failures: 0 } });
});

test('calls made while an HTTP/2 connection breaks are sent on another, whatever their method', async () => {
  // A protocol error: a DATA frame on stream 0.
  const { client, requests } = await clientOf(({ socket }) => socket.write(Buffer.alloc(9)));
  const first = client.post('/a', { json: 1 });
  const others = failure(first).then(() => Promise.all([1, 2, 3].map((json) => client.post('/a', { json }))));
  expect((await others).map((response) => response.text())).toEqual(['whole', 'whole', 'whole']);
  expect(requests()).toBe(4);
});

describe('an HTTP/2 connection that ends while a request is in flight', () => {
  const endings = {
    'reset with CANCEL before a response': (request: FramedRequest) => request.reset(NGHTTP2_CANCEL),
    'GOAWAY with an error, then the end': (request: FramedRequest) => {
      request.goAway(request.id, NGHTTP2_INTERNAL_ERROR);
      request.socket.end();
    },
    'the end': (request: FramedRequest) => request.socket.end(),
  };

  test.each(Object.entries(endings))('%s: a GET is retried, a POST is not', async (_how, end) => {
    const { client } = await clientOf(end);
    expect((await client.get('/a')).text()).toBe('whole');
    const other = await clientOf(end);
    expect(await failure(other.client.post('/a', { json: 1 }))).toMatchObject({ gaveUp: 'notRetryable' });
    expect(other.requests()).toBe(1);
  });
});
