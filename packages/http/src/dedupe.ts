/**
 * Lets identical requests that are in flight at the same time share one. Each caller keeps its own time limit, signal, response
 * and error. The shared request belongs to no caller: it is cancelled when the last one has left.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { isMacadamError, type MacadamError } from '@macadam/core';
import { singleFlight, timeout, type Policy } from '@macadam/resilience';
import { annotateCall } from './annotate-call.ts';
import type { AsyncScope } from './attempt-settings.ts';
import { AttemptLog } from './attempts.ts';
import type { AuthorizeContext, HttpAuth } from './auth.ts';
import { authorize } from './authorize.ts';
import { lastSubject } from './call-error.ts';
import { isCancelReason } from './cancel-reason.ts';
import { ChangedPaths } from './changed-paths.ts';
import { digest } from './digest.ts';
import {
  completeError,
  copyAttempts,
  copyError,
  HttpError,
  HttpStatusError,
  HttpTimeoutError,
  isTimeLimitError,
} from './errors.ts';
import { isUnsafe } from './http-cache/invalidation.ts';
import { traceCall } from './instruments.ts';
import type { PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { applySchema } from './response-schema.ts';
import { copyResponse, type HttpResponse } from './response.ts';
import type { HttpClientSettings } from './settings.ts';
import { errorTypeOf, type TracedClient } from './trace-attributes.ts';

/** Safe methods (RFC 9110, section 9.2.1) that are sent without a body. */
const SHAREABLE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

/** A caller with less than this share of its time left does not wait for another shared request. */
const MIN_TIME_SHARE = 0.1;

/** Makes the call for a shared request, and records its attempts in `log`. */
type ExecuteCall = (request: PreparedRequest, options: AnyRequestOptions, log: AttemptLog) => Promise<HttpResponse>;

/** A call that waits for a request, which it may share with others. */
class Caller {
  readonly request: PreparedRequest;
  /** The log of the wait, without attempts. */
  readonly waitLog: AttemptLog;
  /** The asynchronous context of the caller, which `auth` may depend on. */
  readonly scope: AsyncScope | undefined;
  /** The log of the request it waits for. */
  sharedLog: AttemptLog | undefined = undefined;
  /** Whether that request was started for this caller. */
  isFirst = false;

  constructor(request: PreparedRequest, waitLog: AttemptLog, scope: AsyncScope | undefined) {
    this.request = request;
    this.waitLog = waitLog;
    this.scope = scope;
  }
}

export class Dedupe {
  readonly #flights = singleFlight();
  /** The logs of the shared requests in flight. */
  readonly #logs = new Map<string, AttemptLog>();
  readonly #changedPaths = new ChangedPaths();
  readonly #settings: HttpClientSettings;
  readonly #traced: TracedClient;
  readonly #execute: ExecuteCall;
  /** Limits how long each caller waits. */
  readonly #callerTimeout: Policy;
  #callers = 0;
  #unknownCredentials = 0;
  #onIdle: (() => void) | undefined;

  constructor(settings: HttpClientSettings, traced: TracedClient, execute: ExecuteCall) {
    this.#settings = settings;
    this.#traced = traced;
    this.#execute = execute;
    this.#callerTimeout = timeout({ timeoutMs: settings.timeoutMs, clock: settings.clock });
  }

  /**
   * The key of a request; requests with the same key may share one. It contains everything that is sent, `Authorization` and
   * `Cookie` included, the time limits, and whether it may be sent twice. JSON keeps the values apart. Undefined for a request that
   * is never shared.
   */
  keyOf(request: PreparedRequest): string | undefined {
    const { method, path, headers, body, source, stream, priority, work, repeatable, execution } = request;
    if (!SHAREABLE_METHODS.has(method) || body !== undefined || source !== undefined || stream !== undefined) return;
    const { timeoutMs, attemptTimeoutMs } = execution;
    const importance = priority ?? work?.priority ?? 'normal';
    return JSON.stringify([method, path, headers, importance, repeatable, timeoutMs, attemptTimeoutMs]);
  }

  /** After a call that may have changed a path, whatever its outcome, later reads of that path start a request of their own. */
  callEnded({ method, path }: PreparedRequest): void {
    if (isUnsafe(method)) this.#changedPaths.recordChange(path);
  }

  /** Executes a call, sharing the request of an identical one in flight if there is one. */
  async execute(key: string, request: PreparedRequest, options: AnyRequestOptions | undefined): Promise<HttpResponse> {
    const { clock, auth } = this.#settings;
    const waitLog = new AttemptLog(clock.monotonic());
    const caller = new Caller(request, waitLog, auth && AsyncLocalStorage.snapshot());
    // Removed again from the first caller, whose call has a trace of its own.
    waitLog.trace = traceCall(this.#traced, request);
    let outcome: unknown;
    this.#callers++;
    try {
      const response = await this.#join(key, caller);
      outcome = response;
      if (options?.schema !== undefined) await applySchema(response, options.schema);
      return response;
    } catch (error) {
      outcome = error;
      return concludeShared(error, caller, options, this.#settings);
    } finally {
      if (--this.#callers === 0) this.#onIdle?.();
      waitLog.trace?.end(waitLog, isCancelReason(outcome, request) ? undefined : errorTypeOf(outcome));
      if (request.work !== undefined) {
        const log = caller.isFirst ? (caller.sharedLog as AttemptLog) : waitLog;
        annotateCall(request.work, log, clock.monotonic());
      }
    }
  }

  /** Waits for the shared request within the time limit and signal of the caller, and returns a response of its own. */
  async #join(key: string, caller: Caller): Promise<HttpResponse> {
    const { auth } = this.#settings;
    const { request } = caller;
    const share = async (context: AuthorizeContext): Promise<HttpResponse> => {
      const credentials = auth === undefined ? '' : await this.#credentialsDigest(auth, request, context);
      return this.#shareRequest(`${credentials} ${key}`, caller, context.signal);
    };
    // A copy for each caller, since callers may change `data`.
    return copyResponse(await this.#callerTimeout.execute(share, request.execution));
  }

  /** Joins the request in flight for the same key, or starts it. */
  async #shareRequest(requestKey: string, caller: Caller, signal: AbortSignal): Promise<HttpResponse> {
    for (;;) {
      const key = `${this.#changedPaths.changeCount(caller.request.path)} ${requestKey}`;
      const flight = this.#flights.run(key, (own) => this.#startShared(key, caller, own.signal), { signal });
      caller.sharedLog = this.#logs.get(key);
      try {
        return await flight;
      } catch (error) {
        // The shared request may have started before this caller, who has time left for another one.
        const isLate = error instanceof HttpTimeoutError && error.gaveUp === 'deadline';
        if (caller.isFirst || !isLate || signal.aborted || !this.#hasTimeForAnother(caller)) throw error;
      }
    }
  }

  #hasTimeForAnother({ request, waitLog }: Caller): boolean {
    const { clock, timeoutMs: defaultMs } = this.#settings;
    const timeoutMs = request.execution.timeoutMs ?? defaultMs;
    return clock.monotonic() - waitLog.startedAt < timeoutMs * (1 - MIN_TIME_SHARE);
  }

  /** Starts the shared request, for its first caller. */
  async #startShared(key: string, caller: Caller, signal: AbortSignal): Promise<HttpResponse> {
    const { clock } = this.#settings;
    const { request, scope } = caller;
    const log = new AttemptLog(clock.monotonic());
    caller.isFirst = true;
    caller.waitLog.trace = undefined;
    this.#logs.set(key, log);
    const untrack = this.#changedPaths.trackRead(request.path);
    const shared: PreparedRequest = {
      ...request,
      execution: { ...request.execution, signal },
      work: undefined,
      priority: request.priority ?? request.work?.priority,
      // `auth` may depend on the context: the credentials that were compared are those in the context of the first caller.
      ...(scope !== undefined && { scope }),
    };
    try {
      return await this.#execute(shared, { throwOnStatus: true }, log);
    } finally {
      if (this.#logs.get(key) === log) this.#logs.delete(key);
      untrack();
    }
  }

  /**
   * A digest of the headers that `auth` adds for this caller. Callers with equal ones may share a response. If `auth` fails, it
   * is a key of its own: the request of this caller asks again, and retries or reports the failure.
   */
  async #credentialsDigest(auth: HttpAuth, request: PreparedRequest, context: AuthorizeContext): Promise<string> {
    try {
      const headers = await authorize(auth, { request, context }, this.#settings.origin, request.headers);
      return digest(JSON.stringify(Object.entries(headers).sort()));
    } catch {
      return `unknown ${++this.#unknownCredentials}`;
    }
  }

  /** Waits for every caller, also for those that still wait for `auth` and have no call yet. */
  async whenIdle(): Promise<void> {
    if (this.#callers > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  /** `runs` counts the requests started, `joined` the callers that shared one of another caller. */
  stats(): { readonly inFlight: number; readonly runs: number; readonly joined: number } {
    return this.#flights.stats();
  }
}

/** Ends the call of one caller whose shared request failed: with an error of its own, and the stack of that caller. */
function concludeShared(
  error: unknown,
  { request, sharedLog }: Caller,
  options: AnyRequestOptions | undefined,
  settings: HttpClientSettings,
): HttpResponse {
  if (isCancelReason(error, request)) throw error;
  let own: MacadamError;
  if (error instanceof HttpStatusError) {
    const { retryable, retryAfterMs, redirectRefused, attempts, gaveUp } = error;
    const response = copyResponse(error.response);
    if (!(options?.throwOnStatus ?? settings.throwOnStatus)) return response;
    const copy = new HttpStatusError(error, response, retryable, retryAfterMs, redirectRefused);
    own = completeError(copy, copyAttempts(attempts), gaveUp);
  } else if (error instanceof HttpError) own = copyError(error);
  else if (isTimeLimitError(error)) {
    // The caller's own limit. The shared request may go on: the error shows what it has done so far.
    const cause = sharedLog?.failure instanceof HttpError ? sharedLog.failure : undefined;
    const late = new HttpTimeoutError(lastSubject(request, sharedLog), error.timeoutMs, true, cause);
    own = completeError(late, copyAttempts(sharedLog?.records ?? []), 'deadline');
  } else if (isMacadamError(error)) own = copyError(error);
  // Errors of the user's functions are passed on as they are.
  else throw error;
  Error.captureStackTrace(own, concludeShared);
  throw own;
}
