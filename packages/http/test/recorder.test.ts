import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createRecorder, respond, startFaultServer, type FaultServer, type Recorder } from '@macadam/testkit';
import { Agent, request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';

let folder: string;
let path: string;
let upstream: FaultServer;
let agent: Agent;
const clients: HttpClient[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'macadam-recorder-'));
  path = join(folder, 'tapes', 'billing.json');
  agent = new Agent();
  let answered = 0;
  upstream = await startFaultServer({
    handle: ({ path: asked, method, bodyText: body }) => ({
      headers: { 'set-cookie': 'sid=canary' },
      json: { asked, method, body, number: ++answered, access_token: 'canary' },
    }),
  });
});
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await agent.close();
  await upstream.close();
  await rm(folder, { recursive: true });
});

function clientOf({ dispatcher }: Recorder, options: Partial<HttpClientOptions> = {}): HttpClient {
  const client = createHttpClient({ baseUrl: upstream.url, dispatcher, retry: false, ...options });
  clients.push(client);
  return client;
}

/** Records what `calls` does, and gives back a recorder that replays it, with the service gone silent. */
async function recorded(
  calls: (client: HttpClient) => Promise<unknown>,
  options: Partial<HttpClientOptions> = {},
): Promise<Recorder> {
  await using recorder = createRecorder({ path, mode: 'record', through: agent });
  await calls(clientOf(recorder, options));
  await recorder.close();
  await upstream.setFaults([{ fault: respond(500) }]);
  return createRecorder({ path, mode: 'replay' });
}

test('matches requests by the query that undici gets apart from the path', async () => {
  const ask = async ({ dispatcher }: Recorder, page: number): Promise<unknown> => {
    const { body } = await request(upstream.url, { dispatcher: dispatcher as Agent, query: { page, token: 'canary' } });
    return body.json();
  };
  const recorder = createRecorder({ path, mode: 'record', through: agent });
  for (const page of [1, 2]) expect(await ask(recorder, page)).toMatchObject({ asked: `/?page=${page}&token=canary` });
  await recorder.close();
  const replayer = createRecorder({ path, mode: 'replay' });
  for (const page of [2, 1]) expect(await ask(replayer, page)).toMatchObject({ number: page });
  expect(await readFile(path, 'utf8')).not.toContain('canary');
});

test('records a body whose bytes are available, and rejects others with a reason', async () => {
  const recorder = createRecorder({ path, mode: 'record', through: agent });
  const post = (body: unknown) =>
    request(upstream.url, { method: 'POST', dispatcher: recorder.dispatcher as Agent, body: body as string });
  for (const body of [new Blob(['one']), Readable.from(['o', 'ne']), Buffer.from('one')]) {
    expect(await (await post(body)).body.json()).toMatchObject({ body: 'one' });
  }
  const form = new FormData();
  form.set('one', '1');
  for (const body of [form, new URLSearchParams({ one: '1' }), { one: 1 }]) {
    await expect(post(body)).rejects.toMatchObject({ path: 'request.body' });
  }
  expect(recorder.exchanges.map((exchange) => exchange.request.body)).toEqual(Array(3).fill({ text: 'one' }));
});

test('replays responses in the order in which they were recorded', async () => {
  const replayer = await recorded(async (client) => {
    await client.get('/a');
    await client.get('/a');
    await client.post('/b', { json: { x: 1 } });
  });
  const before = upstream.requests.length;
  const client = clientOf(replayer);
  expect((await client.post('/b', { json: { x: 1 } })).data).toMatchObject({ number: 3, body: '{"x":1}' });
  expect((await client.get('/a')).data).toMatchObject({ number: 1 });
  expect((await client.get('/a')).data).toMatchObject({ number: 2 });
  expect(upstream.requests).toHaveLength(before);
  expect(replayer.unused()).toEqual([]);
});

test('fails a request that was not recorded, not as often, or with another body, without sending it', async () => {
  const replayer = await recorded((client) => client.post('/b', { json: { x: 1 } }));
  const client = clientOf(replayer);
  const failure = (call: Promise<unknown>): Promise<unknown> => call.catch((error: { cause: Error }) => error.cause);
  const missing = { code: 'MAC_RECORDING_MISSING', path };
  expect(await failure(client.get('/c'))).toMatchObject({
    ...missing,
    message: `GET ${upstream.url}/c was not recorded`,
  });
  expect(await failure(client.post('/b', { json: { x: 2 } }))).toMatchObject({
    ...missing,
    message: expect.stringContaining('with another body, or less often') as unknown,
  });
  expect(replayer.unused()).toMatchObject([{ method: 'POST', url: `${upstream.url}/b` }]);
  await client.post('/b', { json: { x: 1 } });
  expect(await failure(client.post('/b', { json: { x: 1 } }))).toMatchObject(missing);
  expect(upstream.requests).toHaveLength(1);
});

test('keeps credentials out of the file, and replays without them', async () => {
  const auth = { authorize: () => ({ authorization: 'Bearer canary' }) };
  const call = (client: HttpClient): Promise<unknown> =>
    client.post('/token', { query: { api_key: 'canary' }, form: { client_secret: 'canary', scope: 'read' } });
  const replayer = await recorded(call, { auth });
  expect(await readFile(path, 'utf8')).not.toContain('canary');
  expect(await readFile(path, 'utf8')).toContain('scope=read');
  const other = { authorize: () => ({ authorization: 'Bearer other' }) };
  const response = (await call(clientOf(replayer, { auth: other }))) as { data: unknown };
  expect(response.data).toMatchObject({ access_token: 'REDACTED' });
});

test('records retries, streams, streamed uploads and fetch', async () => {
  await upstream.setFaults([{ fault: respond(503), when: { requests: [1, 1] } }]);
  const calls = async (client: HttpClient): Promise<unknown[]> => {
    const retried = await client.get('/a');
    const { body } = await client.stream('GET', '/b', {});
    const streamed: unknown = JSON.parse(Buffer.concat((await body.toArray()) as Buffer[]).toString());
    const uploaded = await client.put('/c', { body: () => Readable.from([Buffer.from('one '), Buffer.from('two')]) });
    const fetched: unknown = await (await client.fetch('/d')).json();
    return [retried.attempts.map(({ status }) => status), streamed, uploaded.data, fetched];
  };
  const retry = { maxAttempts: 2, throttledBaseMs: 0 };
  let first: unknown[] = [];
  const replayer = await recorded(async (client) => (first = await calls(client)), { retry });
  const second = await calls(clientOf(replayer, { retry }));
  expect(first[0]).toEqual([503, 200]);
  expect(JSON.parse(JSON.stringify(second).replaceAll('REDACTED', 'canary'))).toEqual(first);
});

test('can ignore bodies when matching', async () => {
  await recorded((client) => client.post('/b', { multipart: { note: 'May' } }));
  const replayer = createRecorder({ path, mode: 'replay', matchBody: false });
  expect((await clientOf(replayer).post('/b', { multipart: { note: 'May' } })).status).toBe(200);
});

test('releases a body that nobody reads', async () => {
  const replayer = await recorded((client) => client.get('/a'));
  const { body } = await clientOf(replayer).stream('GET', '/a', {});
  body.destroy();
  expect(replayer.unused()).toEqual([]);
});

test('reports what is wrong with a file', async () => {
  const open = () => createRecorder({ path, mode: 'replay' });
  expect(open).toThrow(expect.objectContaining({ code: 'MAC_RECORDING_MISSING', path }));
  await recorded((client) => client.get('/a'));
  for (const content of ['{', '[]', 'null', '{"version":2,"exchanges":[]}', '{"version":1,"exchanges":[{}]}']) {
    await writeFile(path, content);
    expect(open).toThrow(expect.objectContaining({ code: 'MAC_RECORDING_INVALID', path }));
  }
});

test.each<[string, object]>([
  ['path', { path: '', mode: 'replay' }],
  ['mode', { path: 'a', mode: 'auto' }],
  ['through', { path: 'a', mode: 'record' }],
  ['path', { path: 'file:///a.json', mode: 'replay' }],
  ['file', { path: 'a', mode: 'record', file: 1 }],
])('rejects a wrong %s', (option, options) => {
  expect(() => createRecorder(options as never)).toThrow(
    expect.objectContaining({ code: 'MAC_INVALID_OPTIONS', path: `createRecorder.${option}` }),
  );
});
