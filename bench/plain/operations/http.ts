import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Operation } from '../operation.ts';

/** Before this many requests, the runtime is still compiling the code that sends them. */
const request = { count: 20_000, warmUp: 40_000 };

/** It inherits the core of its client: on two cores, waking them would be half of the cost, and vary from run to run. */
async function serverUrl(): Promise<string> {
  const server = fork(join(import.meta.dirname, '..', 'server.ts'), { execArgv: ['--no-warnings'] });
  const [port] = (await once(server, 'message')) as [number];
  return `http://127.0.0.1:${port}`;
}

export const http: Record<string, Operation> = {
  'macadam get': {
    ...request,
    make: async () => {
      const { createHttpClient } = await import('@macadam/http');
      const client = createHttpClient({ name: 'people', baseUrl: await serverUrl() });
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = (await client.get('/people/{id}', { params: { id: 1 } })).data;
        return last;
      };
    },
  },
  'undici pool.request': {
    ...request,
    make: async () => {
      const { Pool } = await import('undici');
      const pool = new Pool(await serverUrl());
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) {
          const { body } = await pool.request({ method: 'GET', path: '/people/1' });
          last = await body.json();
        }
        return last;
      };
    },
  },
  got: {
    ...request,
    make: async () => {
      const { default: got } = await import('got');
      const { Agent } = await import('node:http');
      const agent = { http: new Agent({ keepAlive: true }) };
      const client = got.extend({ prefixUrl: await serverUrl(), timeout: { request: 10_000 }, agent });
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = await client.get('people/1').json();
        return last;
      };
    },
  },
};
