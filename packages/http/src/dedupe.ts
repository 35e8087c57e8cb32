import { runDetached, TimeoutError } from '@macadam/core';
import { singleFlight, timeout, type ExecuteOptions, type Policy } from '@macadam/resilience';
import { conclude, HttpStatusError, HttpTimeoutError } from './errors.ts';
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

  constructor({ timeoutMs, clock }: HttpClientSettings) {
    this.#patience = timeout({ timeoutMs, clock });
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
    const fly = ({ signal }: { readonly signal: AbortSignal }): Promise<HttpResponse> => {
      const execution: ExecuteOptions = { ...request.execution, signal };
      return runDetached(() => call({ ...request, execution, work: undefined, priority }));
    };
    const join = ({ signal }: { readonly signal: AbortSignal }): Promise<HttpResponse> =>
      this.#flights.run(key, fly, { signal });
    // A response of one's own each: `data` may be changed by whoever reads it.
    return copyResponse(await this.#patience.execute(join, request.execution));
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
