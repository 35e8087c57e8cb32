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

/** Whether the body of an answer is for its reader to read. */
export function isStreamed(response: HttpResponse): boolean {
  return bodyOf(response) !== undefined;
}

/** The copy that is made of an answer while it is read, if one is. */
export function copyOf(response: HttpResponse): BodyCopy | undefined {
  const body = bodyOf(response);
  return body instanceof ResponseBody ? body.copy : undefined;
}

/** Lets go of a body that nobody will read. */
export function discard(response: HttpResponse): void {
  bodyOf(response)?.destroy();
}

/** The answer as a stream, whether its body is still coming in or was read with a failed try. */
export function streamOf(response: HttpResponse, subject: ErrorSubject): HttpStream {
  const { status, ok, headers, attempts } = response;
  return { status, ok, headers, attempts, body: bodyOf(response) ?? replay(response, subject) };
}

function replay(response: HttpResponse, subject: ErrorSubject): Readable {
  return Readable.from(pieces(response, subject), { objectMode: false });
}

/** What was cut off must not pass for the whole. */
function* pieces(response: HttpResponse, subject: ErrorSubject): Generator<Uint8Array, void, undefined> {
  const bytes = response.bytes();
  if (bytes.length > 0) yield bytes;
  if (response.bodyTruncated) {
    throw new HttpDecodeError(subject, 'truncated', response.status, `was read only up to ${bytes.length} bytes`);
  }
}
