import { MacadamError } from '@macadam/core';
import { issuePaths, type SchemaIssue } from '../schema.ts';

/** What a line of a stream failed at: its JSON, its schema, or its length. */
export type StreamReason = 'json' | 'schema' | 'tooLong';

/** What comes is not what it should be; what came before is. Code `MAC_HTTP_STREAM`. Not retryable. */
export class HttpStreamError extends MacadamError {
  readonly reason: StreamReason;
  /** Counted from 1. Nothing of what it says is in the error. */
  readonly line: number;
  /** Where the schema did not fit, such as `items.0.price`. */
  readonly paths: readonly string[];

  constructor(reason: StreamReason, line: number, detail: string, issues: readonly SchemaIssue[] = []) {
    super(`Line ${line} of the stream ${detail}`, { code: 'MAC_HTTP_STREAM' });
    this.reason = reason;
    this.line = line;
    this.paths = issuePaths(issues);
  }
}
HttpStreamError.prototype.name = 'HttpStreamError';
