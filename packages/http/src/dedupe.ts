import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { isMacadamError, runDetached, TimeoutError } from '@macadam/core';
import { singleFlight, timeout, type ExecuteOptions, type Policy } from '@macadam/resilience';
import type { AuthorizeContext, HttpAuth } from './auth.ts';
import { authorize } from './authorize.ts';
import { conclude, HttpRequestError, HttpStatusError, HttpTimeoutError } from './errors.ts';
import type { PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { copyResponse, type HttpResponse } from './response.ts';
import type { HttpClientSettings } from './settings.ts';

/** Methods that only ask (RFC 9110, section 9.2.1), and are sent without a body. */
const SHAREABLE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Lets identical requests in flight share one. */
export class Dedupe {
  readonly #flights = singleFlight();
  /** Holds for each caller, whatever becomes of the request they share. */
  readonly #patience: Policy;
  readonly #auth: HttpAuth | undefined;
  readonly #origin: string;

  constructor({ timeoutMs, clock, auth, origin }: HttpClientSettings) {
    this.#patience = timeout({ timeoutMs, clock });
    this.#auth = auth;
    this.#origin = origin;
  }

  /**
   * What two requests must have in common to be one: everything that is sent, `Authorization` and `Cookie` included, and
   * how long it may take. As JSON, no value can pass for two, or for the end of another. Undefined for a request that is
   * never shared.
   */
  keyOf({ method, path, headers, body, source, priority, work, execution }: PreparedRequest): string | undefined {
    if (!SHAREABLE_METHODS.has(method) || body !== undefined || source !== undefined) return undefined;
    const { timeoutMs, attemptTimeoutMs } = execution;
    return JSON.stringify([method, path, headers, priority ?? work?.priority ?? 'normal', timeoutMs, attemptTimeoutMs]);
  }

  /**
   * Joins the flight for `key`, or begins it with `call`. The shared request belongs to nobody: it has no deadline and no
   * signal but its own, which aborts when the last caller has left.
   */
  async run(
    key: string,
    request: PreparedRequest,
    call: (request: PreparedRequest) => Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    const priority = request.priority ?? request.work?.priority;
    // Whose credentials these are may depend on the context of the caller: those of who came first are what was compared.
    const own = this.#auth === undefined ? request : { ...request, scope: AsyncLocalStorage.snapshot() };
    const fly = ({ signal }: { readonly signal: AbortSignal }): Promise<HttpResponse> => {
      const execution: ExecuteOptions = { ...own.execution, signal };
      return runDetached(() => call({ ...own, execution, work: undefined, priority }));
    };
    const join = async (context: AuthorizeContext): Promise<HttpResponse> => {
      const { signal } = context;
      const whose = this.#auth === undefined ? '' : await this.#principal(this.#auth, request, context);
      return this.#flights.run(whose + key, fly, { signal });
    };
    // A response of one's own each: `data` may be changed by whoever reads it.
    return copyResponse(await this.#patience.execute(join, request.execution));
  }

  /** A digest of what `auth` adds for this caller: those for whom it adds the same may see the same. */
  async #principal(auth: HttpAuth, request: PreparedRequest, context: AuthorizeContext): Promise<string> {
    try {
      const headers = await authorize(auth, { request, context }, this.#origin, request.headers);
      return createHash('sha256')
        .update(JSON.stringify(Object.entries(headers).sort()))
        .digest('base64url');
    } catch (error) {
      if (isMacadamError(error)) throw error;
      throw conclude(new HttpRequestError(request.subject, 'auth', error), [], 'notRetryable');
    }
  }

  /** How many requests went out for several callers or one, and how many callers joined one. */
  stats(): { readonly inFlight: number; readonly runs: number; readonly joined: number } {
    return this.#flights.stats();
  }
}

/** How a shared request that failed ends for one of its callers. */
export function concludeShared(
  error: unknown,
  request: PreparedRequest,
  options: AnyRequestOptions | undefined,
  settings: HttpClientSettings,
): HttpResponse {
  if (error instanceof HttpStatusError && !(options?.throwOnStatus ?? settings.throwOnStatus)) {
    return copyResponse(error.response);
  }
  // The caller's own limit: the shared request, which goes on, has told its story to nobody yet.
  if (error instanceof TimeoutError)
    throw conclude(new HttpTimeoutError(request.subject, error.timeoutMs, true, undefined), [], 'deadline');
  throw error;
}
