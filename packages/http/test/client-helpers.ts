import { constant } from '@macadam/resilience';
import { expect } from 'vitest';
import { createHttpClient, type HttpClient, type HttpClientOptions } from '../src/index.ts';

const openClients: HttpClient[] = [];

/** A client that by default does not wait between attempts. {@link closeClients} closes it. */
export function noBackoffClient(options: HttpClientOptions): HttpClient {
  const retry = { backoff: constant({ delayMs: 0 }), throttledBaseMs: 0 };
  const client = createHttpClient({ name: 'billing', retry, ...options });
  openClients.push(client);
  return client;
}

/** Closes the clients of a test. Call it after the servers are closed, so that no call in flight delays it. */
export async function closeClients(): Promise<void> {
  await Promise.all(openClients.splice(0).map((client) => client.close()));
}

/** Resolves to the error that `call` rejects with. */
export function failure(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.unreachable('the call succeeded'),
    (error: unknown) => error,
  );
}
