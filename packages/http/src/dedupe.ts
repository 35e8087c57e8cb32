import { AsyncLocalStorage } from 'node:async_hooks';
import { isMacadamError, type MacadamError } from '@macadam/core';
import { singleFlight, timeout, type Policy } from '@macadam/resilience';
import { annotateCall } from './annotate-call.ts';
import type { Scope } from './attempt-settings.ts';
import { AttemptLog } from './attempts.ts';
import type { AuthorizeContext, HttpAuth } from './auth.ts';
import { authorize } from './authorize.ts';
import { isTimeLimit, lastSubject } from './call-error.ts';
import { ChangedPaths } from './changed-paths.ts';
import { digest } from './digest.ts';
import {
  conclude,
  copyAttempts,
  copyError,
  HttpError,
  HttpStatusError,
  HttpTimeoutError,
  requestFailure,
} from './errors.ts';
import { isUnsafe } from './http-cache/invalidation.ts';
import { traceCall } from './instruments.ts';
import type { PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { applySchema } from './response-schema.ts';
import { copyResponse, type HttpResponse } from './response.ts';
import type { HttpClientSettings } from './settings.ts';
import { errorTypeOf, type TracedClient } from './trace-attributes.ts';

/** Methods that only ask (RFC 9110, section 9.2.1), and are sent without a body. */
const SHAREABLE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** With less than this share of its time left a caller does not wait for another request. */
const WORTH_ANOTHER = 0.1;

/** Makes a call of its own with a request, and writes down its tries. */
type Call = (request: PreparedRequest, options: AnyRequestOptions, log: AttemptLog) => Promise<HttpResponse>;

/** One who waits for a request that he may share. */
class Caller {
  readonly request: PreparedRequest;
  /** Of the wait, without tries. */
  readonly waiting: AttemptLog;
  /** His asynchronous context, where `auth` may look for who he is. */
  readonly scope: Scope | undefined;
  /** Of the request he waits for. */
  flight: AttemptLog | undefined = undefined;
  /** Whether that request was made for him. */
  isFirst = false;

  constructor(request: PreparedRequest, waiting: AttemptLog, scope: Scope | undefined) {
    this.request = request;
    this.waiting = waiting;
    this.scope = scope;
  }
}

/** Lets identical requests in flight share one. */
export class Dedupe {
  readonly #flights = singleFlight();
  /** What the requests in flight have done so far. */
  readonly #logs = new Map<string, AttemptLog>();
  readonly #changed = new ChangedPaths();
  readonly #settings: HttpClientSettings;
  readonly #traced: TracedClient;
  readonly #call: Call;
  /** Holds for each caller, whatever becomes of the request they share. */
  readonly #patience: Policy;
  #callers = 0;
  #onIdle: (() => void) | undefined;

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

  /** A call has ended, however: who asks after one that may have changed something must not be told what was before. */
  ended({ method, path }: PreparedRequest): void {
    if (isUnsafe(method)) this.#changed.change(path);
  }

  /** Answers a call, with what an identical one in flight is answered with, if there is one. */
  async answer(key: string, request: PreparedRequest, options: AnyRequestOptions | undefined): Promise<HttpResponse> {
    const { clock, auth } = this.#settings;
    const waiting = new AttemptLog(clock.monotonic());
    const caller = new Caller(request, waiting, auth && AsyncLocalStorage.snapshot());
    // Only for a caller who joins: who comes first makes a call, which tells of itself.
    waiting.trace = traceCall(this.#traced, request);
    let end: unknown;
    this.#callers++;
    try {
      const response = await this.#join(key, caller);
      end = response;
      if (options?.schema !== undefined) await applySchema(response, options.schema);
      return response;
    } catch (error) {
      end = error;
      return concludeShared(error, caller, options, this.#settings);
    } finally {
      if (--this.#callers === 0) this.#onIdle?.();
      waiting.trace?.end(waiting, errorTypeOf(end));
      if (request.work !== undefined) {
        const told = caller.isFirst ? (caller.flight as AttemptLog) : waiting;
        annotateCall(request.work, told, clock.monotonic());
      }
    }
  }

  /**
   * Joins the flight for `key`, or begins it. The shared request belongs to nobody: it has no deadline and no signal but
   * its own, which aborts when the last caller has left.
   */
  async #join(key: string, caller: Caller): Promise<HttpResponse> {
    const { auth } = this.#settings;
    const { request } = caller;
    const join = async (context: AuthorizeContext): Promise<HttpResponse> => {
      const whose = auth === undefined ? '' : await this.#principal(auth, request, context);
      return this.#fly(whose + key, caller, context.signal);
    };
    // A response of one's own each: `data` may be changed by whoever reads it.
    return copyResponse(await this.#patience.execute(join, request.execution));
  }

  async #fly(same: string, caller: Caller, signal: AbortSignal): Promise<HttpResponse> {
    for (;;) {
      const key = `${this.#changed.changes(caller.request.path)} ${same}`;
      const flight = this.#flights.run(key, (own) => this.#begin(key, caller, own.signal), { signal });
      caller.flight = this.#logs.get(key);
      try {
        return await flight;
      } catch (error) {
        // It may have been out of time because it began before this caller came, who has some left.
        const isLate = error instanceof HttpTimeoutError && error.gaveUp === 'deadline';
        if (caller.isFirst || !isLate || !this.#hasTime(caller)) throw error;
      }
    }
  }

  #hasTime({ request, waiting }: Caller): boolean {
    const { clock, timeoutMs: usualMs } = this.#settings;
    const timeoutMs = request.execution.timeoutMs ?? usualMs;
    return clock.monotonic() - waiting.startedAt < timeoutMs * (1 - WORTH_ANOTHER);
  }

  /** Makes the request that `caller` is the first to wait for. */
  async #begin(key: string, caller: Caller, signal: AbortSignal): Promise<HttpResponse> {
    const { clock } = this.#settings;
    const { request, scope } = caller;
    const log = new AttemptLog(clock.monotonic());
    caller.isFirst = true;
    caller.waiting.trace = undefined;
    this.#logs.set(key, log);
    const done = this.#changed.begin(request.path);
    const shared: PreparedRequest = {
      ...request,
      execution: { ...request.execution, signal },
      work: undefined,
      priority: request.priority ?? request.work?.priority,
      // Whose credentials these are may depend on that of the caller: those of who came first are what was compared.
      ...(scope !== undefined && { scope }),
    };
    try {
      return await this.#call(shared, { throwOnStatus: true }, log);
    } finally {
      if (this.#logs.get(key) === log) this.#logs.delete(key);
      done();
    }
  }

  /** A digest of what `auth` adds for this caller: those for whom it adds the same may see the same. */
  async #principal(auth: HttpAuth, request: PreparedRequest, context: AuthorizeContext): Promise<string> {
    try {
      const headers = await authorize(auth, { request, context }, this.#settings.origin, request.headers);
      return digest(JSON.stringify(Object.entries(headers).sort()));
    } catch (error) {
      const failure = requestFailure(request.subject, 'auth', error);
      throw failure instanceof HttpError ? conclude(failure, [], 'notRetryable') : failure;
    }
  }

  /** Waits for every caller: one who waits for `auth` has no call yet. */
  async settled(): Promise<void> {
    if (this.#callers > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  /** How many requests went out for several callers or one, and how many callers joined one. */
  stats(): { readonly inFlight: number; readonly runs: number; readonly joined: number } {
    return this.#flights.stats();
  }
}

/** How a shared request that failed ends for one of its callers: with an error of his own, made where he waits. */
function concludeShared(
  error: unknown,
  { request, flight }: Caller,
  options: AnyRequestOptions | undefined,
  settings: HttpClientSettings,
): HttpResponse {
  let own: MacadamError;
  if (error instanceof HttpStatusError) {
    const { retryable, retryAfterMs, redirectRefused, attempts, gaveUp } = error;
    const response = copyResponse(error.response);
    if (!(options?.throwOnStatus ?? settings.throwOnStatus)) return response;
    const refused = new HttpStatusError(error, response, retryable, retryAfterMs, redirectRefused);
    own = conclude(refused, copyAttempts(attempts), gaveUp);
  } else if (error instanceof HttpError) own = copyError(error);
  else if (isTimeLimit(error)) {
    // The caller's own limit. The shared request may go on: what it has done so far is all there is to tell.
    const cause = flight?.failure instanceof HttpError ? flight.failure : undefined;
    const late = new HttpTimeoutError(lastSubject(request, flight), error.timeoutMs, true, cause);
    own = conclude(late, copyAttempts(flight?.records ?? []), 'deadline');
    // Why he left is this caller's own, and what functions of the user's throw stays what it is.
  } else if (isMacadamError(error) && error !== reasonOf(request)) own = copyError(error);
  else throw error;
  Error.captureStackTrace(own, concludeShared);
  throw own;
}

/** Why the call was cancelled, if it was. */
function reasonOf({ execution, work }: PreparedRequest): unknown {
  return execution.signal?.reason ?? work?.cancellation?.reason;
}
