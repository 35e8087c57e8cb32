import { OptionsError } from '@macadam/core';
import type { RecordedRequest } from './recording.ts';

/** Returns the key by which a replayed request is matched with a recorded one. */
export function requestKey({ method, url, body }: RecordedRequest, matchBody: boolean): string {
  return JSON.stringify([method, url, matchBody ? (body ?? null) : null]);
}

/** Returns the bytes of a request body; undefined if there is none. A promise for streams and blobs, which are read to their end. */
export function bodyBytes(body: unknown): Uint8Array | undefined | Promise<Uint8Array> {
  if (body === undefined || body === null) return undefined;
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return body;
  return collectBytes(Object(body) as object);
}

async function collectBytes(body: object): Promise<Uint8Array> {
  if (body instanceof Blob) return new Uint8Array(await body.arrayBuffer());
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (!(Symbol.asyncIterator in body) && !(Symbol.iterator in body)) throw unreadableBody(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<unknown>) {
    if (typeof chunk === 'string') chunks.push(Buffer.from(chunk));
    else if (chunk instanceof Uint8Array) chunks.push(chunk);
    else throw unreadableBody(body);
  }
  return Buffer.concat(chunks);
}

/** For a `FormData`, for example: undici creates its bytes, and the boundary in its header, only when it sends the request. */
function unreadableBody(body: object): OptionsError {
  return new OptionsError('request.body', body, 'a string, bytes, a Blob or a stream of these, to be recorded');
}
