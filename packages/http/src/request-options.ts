import type { Priority } from '@macadam/core';
import type { Multipart } from './body/multipart.ts';
import type { StreamedBody } from './body/source.ts';
import type { RequestHeaders } from './headers.ts';
import type { PathParamName, PathParamValue } from './path-template.ts';
import type { Query } from './query.ts';
import type { HttpResponse } from './response.ts';
import type { SchemaOutput, StandardSchema } from './schema.ts';

/** Options of a request. `undefined` is the same as omitting an option. */
export interface RequestOptions<
  Schema extends StandardSchema | undefined = StandardSchema | undefined,
  Throws extends boolean = boolean,
> {
  /** Query parameters. An array is sent as one parameter per element; `undefined` is omitted. Default: none. */
  query?: Query | undefined;
  /** Headers, merged over those of the client; `undefined` as a value omits a header. Default: those of the client. */
  headers?: RequestHeaders | undefined;
  /**
   * Validates and types `data` of a 2xx response: any Standard Schema (zod, valibot, arktype, …). It receives `undefined` for an
   * empty body. Default: none; `data` is `unknown`.
   */
  schema?: Schema | undefined;
  /** Time limit of the whole call in milliseconds, above 0. Default: `timeoutMs` of the client. */
  timeoutMs?: number | undefined;
  /** Time limit of each attempt in milliseconds, above 0, at most `timeoutMs`. Default: `attemptTimeoutMs` of the client. */
  attemptTimeoutMs?: number | undefined;
  /**
   * Sent as the `Idempotency-Key` header with every attempt, which makes any method retryable; the server must support that
   * header. `true` generates a key. Default: none.
   */
  idempotencyKey?: string | true | undefined;
  /**
   * Whether sending this request twice is harmless. Default: whether its method is among `retry.methods`, or it has an
   * `idempotencyKey`.
   */
  idempotent?: boolean | undefined;
  /**
   * Cancels the call, which rejects at once with the signal's reason. Whatever cancels the current work (`runWork`) cancels the
   * call as well. Default: none.
   */
  signal?: AbortSignal | undefined;
  /** The priority sent to internal peers (`x-request-priority`). Default: the priority of the current work. */
  priority?: Priority | undefined;
  /** Whether a response outside 2xx rejects with `HttpStatusError`. Default: `throwOnStatus` of the client. */
  throwOnStatus?: Throws | undefined;
}

/** The body of a request: at most one of the four. Default: no body. */
export interface BodyOptions {
  /** Sent as JSON, with `content-type: application/json`. */
  json?: unknown;
  /** Sent as `application/x-www-form-urlencoded`. */
  form?: Query | undefined;
  /** Sent as `multipart/form-data`: fields and files by name, or a `FormData`. */
  multipart?: Multipart | undefined;
  /**
   * Sent as it is; a string as UTF-8. Bytes are not copied: do not change them until the call has settled.
   *
   * A `Blob` is read again for each attempt, also a file (`fs.openAsBlob`), and its `type` becomes the content type. A function
   * is called for a new stream for each attempt. A stream can only be read once: up to 1 MiB of it is kept for further attempts,
   * and a longer one is sent only once.
   */
  body?: string | Uint8Array | Blob | StreamedBody | (() => StreamedBody) | undefined;
}

/** The `params` that `Path` requires: one for each `{name}` in it, and none if there are no braces. */
export type PathOptions<Path extends string> = string extends Path
  ? { params?: Readonly<Record<string, PathParamValue>> | undefined }
  : [PathParamName<Path>] extends [never]
    ? { params?: undefined }
    : { params: { readonly [Name in PathParamName<Path>]: PathParamValue } };

/** The options argument of a call: optional, unless the path has parameters. */
export type RequestArguments<Path extends string, Options> = string extends Path
  ? [options?: Options & PathOptions<Path>]
  : [PathParamName<Path>] extends [never]
    ? [options?: Options & PathOptions<Path>]
    : [options: Options & PathOptions<Path>];

/**
 * What a call resolves with. With `throwOnStatus: false` it is a union that `ok` discriminates, because the schema is not applied
 * to a response outside 2xx.
 */
export type ResponseOf<Schema extends StandardSchema | undefined, Throws extends boolean> = Throws extends true
  ? HttpResponse<Schema extends StandardSchema ? SchemaOutput<Schema> : unknown>
  : | (HttpResponse<Schema extends StandardSchema ? SchemaOutput<Schema> : unknown> & { readonly ok: true })
    | (HttpResponse & { readonly ok: false });

/** The options of a request, whatever its types, as the client reads them. */
export interface AnyRequestOptions extends RequestOptions<StandardSchema | undefined, boolean>, BodyOptions {
  params?: Readonly<Record<string, PathParamValue>> | undefined;
}

export const REQUEST_OPTION_NAMES: ReadonlySet<string> = new Set([
  'params',
  'query',
  'headers',
  'json',
  'form',
  'multipart',
  'body',
  'schema',
  'timeoutMs',
  'attemptTimeoutMs',
  'idempotencyKey',
  'idempotent',
  'signal',
  'priority',
  'throwOnStatus',
] as const satisfies readonly (keyof AnyRequestOptions)[]);
