// npm gives each package a core of its own as soon as the service has another version of it: none may matter to the others.
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const silent = createServer(() => {});
const deadlines: unknown[] = [];
silent.on('request', ({ headers }) => deadlines.push(headers['x-request-timeout-ms']));
let baseUrl: string;

beforeAll(async () => {
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  baseUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
});

afterAll(() => {
  silent.closeAllConnections();
  silent.close();
});

async function withCoresOfTheirOwn(): Promise<typeof import('../src/index.ts')> {
  vi.resetModules();
  const resilience = await import('@macadam/resilience');
  vi.resetModules();
  vi.doMock('@macadam/resilience', () => resilience);
  return await import('../src/index.ts');
}

describe('with different copies of core in the service, resilience and this package', () => {
  // A shared request may outlive its callers, and has the time of an attempt.
  it.each([
    { dedupe: false, reportedMs: 50 },
    { dedupe: true, reportedMs: 10_000 },
  ])(
    'a call ends at the deadline of its work with HttpTimeoutError: dedupe $dedupe',
    async ({ dedupe, reportedMs }) => {
      const { createHttpClient, HttpTimeoutError } = await withCoresOfTheirOwn();
      const clock = virtualClock();
      const client = createHttpClient({ name: 'silent', baseUrl, timeoutMs: 60_000, dedupe, clock });
      const arrived = once(silent, 'request');
      const ended = runWork({ timeoutMs: 50, clock }, () => client.get('/a')).catch((thrown: unknown) => thrown);
      await arrived;
      await clock.advance(50);
      const error: unknown = await ended;
      expect(error).toBeInstanceOf(HttpTimeoutError);
      expect(error).toMatchObject({
        code: 'MAC_TIMEOUT',
        method: 'GET',
        gaveUp: 'deadline',
        attempts: [{ attempt: 1 }],
      });
      expect(Number(deadlines.at(-1))).toBeLessThanOrEqual(reportedMs);
      await client.close();
    },
  );
});
