import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { isMacadamError, runDetached, TimeoutError } from '@macadam/core';
import { singleFlight, timeout, type ExecuteOptions, type Policy } from '@macadam/resilience';
import { AttemptLog } from './attempts.ts';
import type { AuthorizeContext, HttpAuth } from './auth.ts';
import { authorize } from './authorize.ts';
import { conclude, HttpRequestError, HttpStatusError, HttpTimeoutError } from './errors.ts';
import { traceCall } from './instruments.ts';
import type { PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { applySchema } from './response-schema.ts';
import { copyResponse, type HttpResponse } from './response.ts';
import type { HttpClientSettings } from './settings.ts';
import { errorTypeOf, type TracedClient } from './trace-attributes.ts';

/** Methods that only ask (RFC 9110, section 9.2.1), and are sent without a body. */
const SHAREABLE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Makes a call of its own with a request. */
type Call = (request: PreparedRequest, options: AnyRequestOptions) => Promise<HttpResponse>;

/** Lets identical requests in flight share one. */
export class Dedupe {
  readonly #flights = singleFlight();
  readonly #settings: HttpClientSettings;
  readonly #traced: TracedClient;
  readonly #call: Call;
  /** Holds for each caller, whatever becomes of the request they share. */
  readonly #patience: Policy;

  constructor(settings: HttpClientSettings, traced: TracedClient, call: Call) {
    this.#settings = settings;
    this.#traced = traced;
    this.#call = call;
    this.#patience = timeout({ timeoutMs: settings.timeoutMs, clock: settings.clock });
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

  /** Answers a call, with what an identical one in flight is answered with, if there is one. */
  async answer(key: string, request: PreparedRequest, options: AnyRequestOptions | undefined): Promise<HttpResponse> {
    // Only for a caller who joins: who comes first makes a call, which tells of itself.
    const waiting = new AttemptLog(this.#settings.clock.monotonic());
    waiting.trace = traceCall(this.#traced, request);
    let end: unknown;
    try {
      const response = await this.#join(key, request, waiting);
      end = response;
      if (options?.schema !== undefined) await applySchema(request.subject, response, options.schema);
      return response;
    } catch (error) {
      end = error;
      return concludeShared(error, request, options, this.#settings);
    } finally {
      waiting.trace?.end(waiting, errorTypeOf(end));
    }
  }

  /**
   * Joins the flight for `key`, or begins it. The shared request belongs to nobody: it has no deadline and no signal but
   * its own, which aborts when the last caller has left.
   */
  async #join(key: string, request: PreparedRequest, waiting: AttemptLog): Promise<HttpResponse> {
    const { auth } = this.#settings;
    const priority = request.priority ?? request.work?.priority;
    // Whose credentials these are may depend on the context of the caller: those of who came first are what was compared.
    const own = auth === undefined ? request : { ...request, scope: AsyncLocalStorage.snapshot() };
    const fly = ({ signal }: { readonly signal: AbortSignal }): Promise<HttpResponse> => {
      waiting.trace = undefined;
      const execution: ExecuteOptions = { ...own.execution, signal };
      const shared = { ...own, execution, work: undefined, priority };
      return runDetached(() => this.#call(shared, { throwOnStatus: true }));
    };
    const join = async (context: AuthorizeContext): Promise<HttpResponse> => {
      const { signal } = context;
      const whose = auth === undefined ? '' : await this.#principal(auth, request, context);
      return this.#flights.run(whose + key, fly, { signal });
    };
    // A response of one's own each: `data` may be changed by whoever reads it.
    return copyResponse(await this.#patience.execute(join, request.execution));
  }

  /** A digest of what `auth` adds for this caller: those for whom it adds the same may see the same. */
  async #principal(auth: HttpAuth, request: PreparedRequest, context: AuthorizeContext): Promise<string> {
    try {
      const headers = await authorize(auth, { request, context }, this.#settings.origin, request.headers);
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
function concludeShared(
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
