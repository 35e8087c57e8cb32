import type { RecordedRequest } from './recording.ts';

/** What two requests must have in common to get the same answer. */
export function requestKey({ method, url, body }: RecordedRequest, matchBody: boolean): string {
  return JSON.stringify([method, url, matchBody ? (body ?? null) : null]);
}

/** The bytes of a body, at once when they are there; undefined for none. A stream is read to its end. */
export function readBody(body: unknown): Uint8Array | undefined | Promise<Uint8Array> {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  return collected(body as AsyncIterable<Uint8Array | string>);
}

async function collected(body: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
  return Buffer.concat(chunks);
}
