// What somebody reads who has set something that goes with nothing else: that it is there, and not its value.
import { expect, test } from 'vitest';
import { MockAgent } from 'undici';
import { basic, createHttpClient, type HttpClientOptions } from './index.ts';

const CANARY = 'C4nary';
const baseUrl = 'http://billing.internal';

test.each<[object, string]>([
  [
    { baseUrl: `http://${CANARY}@a`, endpoints: [{ url: baseUrl }] },
    'Option createHttpClient.baseUrl is a text that is not shown;',
  ],
  [
    { baseUrl, dispatcher: new MockAgent(), proxy: `http://${CANARY}@a` },
    'Option createHttpClient.proxy is a text that is not shown;',
  ],
  [{ baseUrl, dispatcher: new MockAgent(), tls: { ca: CANARY } }, 'Option createHttpClient.tls is an object;'],
  [{ baseUrl, dns: { resolve: 'dns', lookup: () => {} } }, 'Option createHttpClient.dns.resolve is "dns";'],
  [{ baseUrl, tls: { key: CANARY } }, 'Option createHttpClient.tls.key is a text that is not shown;'],
  [{ baseUrl, tls: { passphrase: 5 } }, 'Option createHttpClient.tls.passphrase is 5;'],
  [{ baseUrl, auth: CANARY }, 'Option createHttpClient.auth is a text that is not shown;'],
  [{ baseUrl, auth: undefined, retry: null }, 'Option createHttpClient.retry is null;'],
])('rejects %o without showing a secret', (options, words) => {
  const error = thrown(() => createHttpClient(options as HttpClientOptions));
  expect(error.message).toContain(words);
  expect(error.message).not.toContain(CANARY);
});

test('basic() rejects a user and a password that cannot be sent', () => {
  expect(thrown(() => basic('a:b', CANARY)).message).toContain('Option basic.user is a text that is not shown;');
  expect(thrown(() => basic('a', 5 as never)).message).toContain('Option basic.password is 5;');
});

test('the error for two bodies names the second one', async () => {
  await using client = createHttpClient({ baseUrl });
  await expect(client.post('/a', { json: {}, body: CANARY } as never)).rejects.toThrow(
    'Option request.body is a text that is not shown; it must be the only one of json, form, multipart and body.',
  );
  await expect(client.post('/a', { json: {}, form: { a: 1 } } as never)).rejects.toThrow(
    'Option request.form is an object; it must be the only one of json, form, multipart and body.',
  );
});

test('rejects a result of authorize that is no object, and a URL with credentials', async () => {
  await using client = createHttpClient({ baseUrl, auth: { authorize: () => CANARY as never } });
  await expect(client.get('/a')).rejects.toThrow(
    'Option createHttpClient.auth.authorize() is a text that is not shown;',
  );
  await expect(client.fetch(`http://u:${CANARY}@billing.internal/`)).rejects.toThrow(
    'Option fetch.input is a text that is not shown; it must be a URL without credentials',
  );
});

function thrown(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}
