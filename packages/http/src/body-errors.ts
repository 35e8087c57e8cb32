import type { DecodeFailure } from './content-decoding.ts';
import { HttpError, type ErrorSubject } from './errors.ts';
import { issuePaths, type SchemaIssue } from './schema.ts';
import { issuesOf, setIssues } from './schema-issues.ts';
import { FRAME_LIMIT } from './stream/zstd-decoder.ts';

/**
 * What is wrong with a body: `encoding`, its content encoding; `json`, it is not JSON; `schema`, it does not match the schema;
 * `truncated`, it is incomplete: the body of an error response, cut at 64 KiB or not received in time.
 */
export type DecodeReason = 'encoding' | 'json' | 'schema' | 'truncated';

/** A response whose body cannot be decoded or does not match the schema. Code `MAC_HTTP_DECODE`, not retryable. */
export class HttpDecodeError extends HttpError {
  /** What is wrong with the body. */
  readonly reason: DecodeReason;
  /** The status of the response. */
  readonly status: number;
  /** Paths of the values that do not match the schema, such as `items.0.price`: the first ten. */
  readonly paths: readonly string[];

  constructor(
    subject: ErrorSubject,
    reason: DecodeReason,
    status: number,
    detail: string,
    issues: readonly SchemaIssue[] = [],
  ) {
    super(`answered ${status} with a body that ${detail}`, subject, { code: 'MAC_HTTP_DECODE' });
    this.reason = reason;
    this.status = status;
    this.paths = issuePaths(issues);
    setIssues(this, issues);
  }

  /** The issues the schema reported. Not printed with the error, since their messages may contain the offending values. */
  get issues(): readonly SchemaIssue[] {
    return issuesOf(this);
  }
}
HttpDecodeError.prototype.name = 'HttpDecodeError';

/** The limit of `responseLimits` that was exceeded. */
export type ResponseLimit = 'maxBytes' | 'maxRatio';

/** A response that exceeds `responseLimits`; reading stopped there. Code `MAC_HTTP_RESPONSE_TOO_LARGE`, not retryable. */
export class HttpResponseTooLargeError extends HttpError {
  /** The limit that was exceeded, as named in `responseLimits`. */
  readonly limit: ResponseLimit;
  /** The value of that limit: bytes for `maxBytes`, decoded bytes per byte on the wire for `maxRatio`. */
  readonly allowed: number;
  /** The status of the response. */
  readonly status: number;

  constructor(subject: ErrorSubject, limit: ResponseLimit, allowed: number, status: number) {
    const what =
      limit === 'maxBytes' ? `more than ${allowed} bytes` : `more than ${allowed} times its size on the wire`;
    super(`answered ${status} with ${what}`, subject, { code: 'MAC_HTTP_RESPONSE_TOO_LARGE' });
    this.limit = limit;
    this.allowed = allowed;
    this.status = status;
  }
}
HttpResponseTooLargeError.prototype.name = 'HttpResponseTooLargeError';

/** The error for a body that could not be decoded. */
export function decodeError(
  subject: ErrorSubject,
  status: number,
  failure: DecodeFailure,
): HttpDecodeError | HttpResponseTooLargeError {
  switch (failure.kind) {
    case 'maxBytes':
    case 'maxRatio':
      return new HttpResponseTooLargeError(subject, failure.kind, failure.allowed, status);
    case 'corrupt':
      return new HttpDecodeError(subject, 'encoding', status, `is not valid ${failure.encoding}`);
    case 'tooManyFrames':
      return new HttpDecodeError(subject, 'encoding', status, `has more zstd frames than allowed: ${FRAME_LIMIT}`);
    case 'tooManyEncodings':
      return new HttpDecodeError(subject, 'encoding', status, 'has more content encodings than allowed');
    case 'unknownEncoding':
      return new HttpDecodeError(subject, 'encoding', status, 'has a content encoding that was not asked for');
  }
}
