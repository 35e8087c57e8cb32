import { inspect } from 'node:util';
import { constant } from '@macadam/resilience';
import { garbage, resetMidBody, respond, startFaultServer, type Fault } from '@macadam/testkit';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createHttpClient } from '../src/index.ts';

/** Everything a log could make of an error. */
function shownAs(error: unknown): string {
  const { stack, message } = error as Error;
  return [
    inspect(error, { depth: 20 }),
    inspect(error, { depth: 20, showHidden: true }),
    JSON.stringify(error),
    String(error),
    stack,
    message,
  ].join('\n');
}

const body = { json: { token: 'canary' }, headers: { 'set-cookie': 'session=canary', 'x-secret': 'canary' } };
const faults: [what: string, fault: Fault][] = [
  ['an error status', respond(403, body)],
  ['an error status that is retried', respond(503, body)],
  ['a redirect with a token', respond(302, { headers: { location: 'https://x/?code=canary' } })],
  ['bytes that are not HTTP', garbage('canary canary\r\n\r\n')],
  ['a response that is cut off', resetMidBody({ afterBytes: 5 })],
  ['a body that is not JSON', respond(200, { headers: { 'content-type': 'application/json' }, text: 'canary canary' })],
  ['a body that does not match the schema', respond(200, { json: { id: 'canary' } })],
  [
    'a body that does not match its encoding',
    respond(200, { headers: { 'content-encoding': 'gzip' }, text: 'canary' }),
  ],
];

describe('no error shows a credential, a parameter, a query value, a header or a body', () => {
  test.each(faults)('%s', async (_what, fault) => {
    await using upstream = await startFaultServer({ faults: [{ fault }] });
    await using client = createHttpClient({
      baseUrl: upstream.url,
      headers: { authorization: 'Bearer canary' },
      retry: { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 },
    });
    const error = await client
      .post('/reset/{token}', {
        params: { token: 'canary' },
        query: { api_key: 'canary', email: ['canary@example.com'] },
        headers: { cookie: 'canary', 'x-api-key': 'canary' },
        json: { password: 'canary' },
        idempotencyKey: 'canary',
        schema: z.object({ id: z.enum(['a']) }),
      })
      .then(
        () => expect.unreachable('the call succeeded'),
        (reason: unknown) => reason,
      );
    expect(upstream.requests[0]?.headers.authorization).toBe('Bearer canary');
    expect(error).toMatchObject({ url: `${upstream.url}/reset/{token}?api_key=REDACTED&email=REDACTED` });
    expect(shownAs(error)).not.toContain('canary');
    expect(shownAs(client.stats()) + client.describe() + inspect(client, { depth: 20 })).not.toContain('canary');
  });
});
