import { MacadamError } from '@macadam/core';
import { issuePaths, type SchemaIssue } from '../schema.ts';

/** What is wrong with a line of a stream: `json`, it is not JSON; `schema`, it does not match the schema; `tooLong`, its length. */
export type StreamReason = 'json' | 'schema' | 'tooLong';

/** A line of a stream that cannot be parsed; the lines before it were fine. Code `MAC_HTTP_STREAM`, not retryable. */
export class HttpStreamError extends MacadamError {
  /** What is wrong with the line. */
  readonly reason: StreamReason;
  /** The number of the line, from 1. Its content is not part of the error. */
  readonly line: number;
  /** Paths of the values that do not match the schema, such as `items.0.price`: the first ten. */
  readonly paths: readonly string[];

  constructor(reason: StreamReason, line: number, detail: string, issues: readonly SchemaIssue[] = []) {
    super(`Line ${line} of the stream ${detail}`, { code: 'MAC_HTTP_STREAM' });
    this.reason = reason;
    this.line = line;
    this.paths = issuePaths(issues);
  }
}
HttpStreamError.prototype.name = 'HttpStreamError';
