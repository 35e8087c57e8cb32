import { constant } from '@macadam/resilience';
import { expect } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';

const open: HttpClient[] = [];

/** A client that does not wait between tries, unless told otherwise. It is closed by {@link closeClients}. */
export function impatientClient(options: HttpClientOptions): HttpClient {
  const retry = { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 };
  const client = createHttpClient({ name: 'billing', retry, ...options });
  open.push(client);
  return client;
}

/** Closes the clients of a test, after what they talk to: what is still waited for has come to its end then. */
export async function closeClients(): Promise<void> {
  await Promise.all(open.splice(0).map((client) => client.close()));
}

/** What a call rejects with. */
export function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error,
  );
}
