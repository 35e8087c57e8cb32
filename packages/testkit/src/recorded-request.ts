import { OptionsError } from '@macadam/core';
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
  return collected(Object(body) as object);
}

async function collected(body: object): Promise<Uint8Array> {
  if (body instanceof Blob) return new Uint8Array(await body.arrayBuffer());
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (!(Symbol.asyncIterator in body) && !(Symbol.iterator in body)) throw unreadable(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body as AsyncIterable<unknown>) {
    if (typeof chunk === 'string') chunks.push(Buffer.from(chunk));
    else if (chunk instanceof Uint8Array) chunks.push(chunk);
    else throw unreadable(body);
  }
  return Buffer.concat(chunks);
}

/** A `FormData`, say: its bytes, and the boundary in its header, are made further down. */
function unreadable(body: object): OptionsError {
  return new OptionsError('request.body', body, 'a text, bytes, a Blob or a stream of such, to be recorded');
}
