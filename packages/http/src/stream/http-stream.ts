import { Readable } from 'node:stream';
import type { HttpAttempt } from '../attempts.ts';
import { HttpDecodeError } from '../body-errors.ts';
import { type ErrorSubject } from '../errors.ts';
import type { ResponseHeaders } from '../headers.ts';
import { bodyOf, type HttpResponse } from '../response.ts';
import type { BodyCopy } from './body-copy.ts';
import { ResponseBody } from './response-body.ts';

/**
 * A response whose body is read as it arrives. Read the body to its end or `destroy()` it, because it holds a connection until then;
 * a body that is neither is destroyed after `unreadTimeoutMs`.
 */
export interface HttpStream {
  /** The status of the response. */
  readonly status: number;
  /** Whether the status is 2xx. */
  readonly ok: boolean;
  /** The response headers. */
  readonly headers: ResponseHeaders;
  /** The bytes of the body, with content encodings decoded: for `for await`, `pipeline()` or `Readable.toWeb()`. */
  readonly body: Readable;
  /** What each attempt did until the response headers had arrived. */
  readonly attempts: readonly HttpAttempt[];
}

/** Whether the body of a response is streamed to the caller. */
export function isStreamed(response: HttpResponse): boolean {
  return bodyOf(response) !== undefined;
}

/** The copy that is made of a streamed body while it is read; undefined if none is made. */
export function copyOf(response: HttpResponse): BodyCopy | undefined {
  const body = bodyOf(response);
  return body instanceof ResponseBody ? body.copy : undefined;
}

/** Destroys a streamed body that nobody will read. */
export function discard(response: HttpResponse): void {
  bodyOf(response)?.destroy();
}

/** The response as a stream. A body that was read whole, that of an error response, is replayed. */
export function streamOf(response: HttpResponse, subject: ErrorSubject): HttpStream {
  const { status, ok, headers, attempts } = response;
  return { status, ok, headers, attempts, body: bodyOf(response) ?? replay(response, subject) };
}

function replay(response: HttpResponse, subject: ErrorSubject): Readable {
  return Readable.from(chunksOf(response, subject), { objectMode: false });
}

/** Fails at the end of a truncated body, which must not be taken for a complete one. */
function* chunksOf(response: HttpResponse, subject: ErrorSubject): Generator<Uint8Array, void, undefined> {
  const bytes = response.bytes();
  if (bytes.length > 0) yield bytes;
  if (response.bodyTruncated) {
    throw new HttpDecodeError(subject, 'truncated', response.status, `was read only up to ${bytes.length} bytes`);
  }
}
