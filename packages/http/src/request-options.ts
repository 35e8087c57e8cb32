import type { Priority } from '@macadam/core';
import type { Multipart } from './body/multipart.ts';
import type { StreamedBody } from './body/source.ts';
import type { RequestHeaders } from './headers.ts';
import type { PathParamName, PathParamValue } from './path-template.ts';
import type { Query } from './query.ts';
import type { HttpResponse } from './response.ts';
import type { SchemaOutput, StandardSchema } from './schema.ts';

/** What any request can say. `undefined` is the same as leaving an option out. */
export interface RequestOptions<Schema extends StandardSchema | undefined, Throws extends boolean> {
  /** Query parameters. A list is sent as one parameter for each member; `undefined` is left out. */
  query?: Query | undefined;
  /** Laid over the client's headers; `undefined` as a value leaves a header out. */
  headers?: RequestHeaders | undefined;
  /** Checks and types `data` of a 2xx answer: any Standard Schema. An empty body is given to it as `undefined`. */
  schema?: Schema | undefined;
  /** Limit of this call in milliseconds, above 0. Default: the client's. */
  timeoutMs?: number | undefined;
  /** Limit of each try in milliseconds, above 0. Default: the client's. */
  attemptTimeoutMs?: number | undefined;
  /**
   * Sent as `Idempotency-Key` with every try, which makes any method repeatable: the server must know the header.
   * `true` makes one up.
   */
  idempotencyKey?: string | true | undefined;
  /** Declares that sending this request twice is harmless, whatever its method. Default: by its method. */
  idempotent?: boolean | undefined;
  /** Cancels the call, which rejects at once with the signal's reason. What cancels the current work does so too. */
  signal?: AbortSignal | undefined;
  /** Told to internal peers. Default: that of the current work. */
  priority?: Priority | undefined;
  /** `false` returns answers outside 2xx instead of throwing. Default: the client's. */
  throwOnStatus?: Throws | undefined;
}

/** The body of a request: one of the four. */
export interface BodyOptions {
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as `application/x-www-form-urlencoded`. */
  form?: Query | undefined;
  /** Sent as `multipart/form-data`, files included: fields by name, or a `FormData`. */
  multipart?: Multipart | undefined;
  /**
   * Sent as it is. Text is UTF-8. Bytes are not copied: leave them alone until the call has settled.
   *
   * A `Blob` is read anew for every try, a file too (`fs.openAsBlob`), and its type is the content type. A function makes a
   * new stream for every try. A stream itself can be read once: up to 1 MiB of it is kept for other
   * tries, and a longer one is sent once.
   */
  body?: string | Uint8Array | Blob | StreamedBody | (() => StreamedBody) | undefined;
}

/** `params` as the path demands them: one for each name in braces; none when there are no braces. */
export type PathOptions<Path extends string> = string extends Path
  ? { params?: Readonly<Record<string, PathParamValue>> | undefined }
  : [PathParamName<Path>] extends [never]
    ? { params?: undefined }
    : { params: { readonly [Name in PathParamName<Path>]: PathParamValue } };

/** The options argument: it can be left out unless the path has parameters. */
export type RequestArguments<Path extends string, Options> = string extends Path
  ? [options?: Options & PathOptions<Path>]
  : [PathParamName<Path>] extends [never]
    ? [options?: Options & PathOptions<Path>]
    : [options: Options & PathOptions<Path>];

/**
 * What a call resolves to. With `throwOnStatus: false` it is a union to be told apart by `ok`: the schema is not applied
 * to an answer outside 2xx.
 */
export type ResponseOf<Schema extends StandardSchema | undefined, Throws extends boolean> = Throws extends true
  ? HttpResponse<DataOf<Schema>>
  : (HttpResponse<DataOf<Schema>> & { readonly ok: true }) | (HttpResponse & { readonly ok: false });

type DataOf<Schema extends StandardSchema | undefined> = Schema extends StandardSchema ? SchemaOutput<Schema> : unknown;

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
