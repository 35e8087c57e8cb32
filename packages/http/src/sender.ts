import { AsyncLocalStorage } from 'node:async_hooks';
import type { ExecuteContext } from '@macadam/resilience';
import { AuthResponseListener } from './auth-response-listener.ts';
import type { FollowUpSender } from './attempt-settings.ts';
import { attemptTimeLeftMs } from './attempt-time.ts';
import type { AttemptLog, HttpAttempt } from './attempts.ts';
import { authorize } from './authorize.ts';
import type { OpenedBody } from './body/source.ts';
import type { DispatchOptions, RawHeaders, Transport } from './dispatcher.ts';
import { HttpRequestError } from './errors.ts';
import { mergeHeaders } from './headers.ts';
import { withPropagation } from './peer.ts';
import { decideRedirect, isRedirect, type RedirectDecision, type RedirectRefusal } from './redirect.ts';
import { addressedTo, redirected, type PreparedRequest } from './request.ts';
import { ResponseHandler } from './response-handler.ts';
import type { HttpResponse } from './response.ts';
import { firstOf } from './retry-after.ts';
import type { HttpClientSettings } from './settings.ts';
import { StreamHandler } from './stream/stream-handler.ts';

/**
 * Sends the attempts of calls over the transport. An attempt is one request, followed by others if it is redirected or its
 * credentials are rejected.
 */
export class Sender implements FollowUpSender {
  readonly #settings: HttpClientSettings;
  readonly #transport: Transport;
  /** The headers of a first attempt with the limits of the client, as most are. Created once. */
  readonly #usualHeaders: readonly string[];
  #attempts = 0;

  constructor(settings: HttpClientSettings, transport: Transport) {
    this.#settings = settings;
    this.#transport = transport;
    this.#usualHeaders =
      settings.peer === 'external'
        ? settings.headers
        : withPropagation(settings.headers, { limitMs: settings.attemptTimeoutMs, priority: undefined, attempt: 1 });
  }

  /** Attempts started. */
  get attempts(): number {
    return this.#attempts;
  }

  attempt(request: PreparedRequest, log: AttemptLog, context: ExecuteContext): Promise<HttpResponse> {
    // The body was a stream that an earlier attempt used up. The failure of that attempt is the one to report.
    if (request.source?.replayable === false) {
      return Promise.reject(new HttpRequestError(request.subject, 'body', log.failure));
    }
    this.#attempts++;
    const endpoint = log.router?.takeEndpoint();
    const own = endpoint === undefined ? request : addressedTo(request, endpoint);
    return new Promise((resolve, reject) => {
      const handler = new ResponseHandler(this.#settings, own, log, context, resolve, reject, this);
      const runsCallersCode = this.#settings.auth !== undefined || own.source !== undefined;
      if (runsCallersCode) handler.scope = own.scope ?? AsyncLocalStorage.snapshot();
      if (own.scope === undefined) this.#start(handler);
      else own.scope(() => this.#start(handler));
    });
  }

  mayFollowUp(handler: ResponseHandler, status: number, headers: RawHeaders): boolean {
    if (status === 401) return this.#mayReauthorize(handler);
    return this.#decideRedirect(handler.request, status, headers)?.next === 'follow';
  }

  followUp(handler: ResponseHandler, status: number, headers: RawHeaders): boolean | RedirectRefusal {
    if (status === 401) return this.#reauthorize(handler);
    const { request } = handler;
    const decision = this.#decideRedirect(request, status, headers);
    if (decision === undefined) return false;
    if (decision.next === 'refuse') return decision.reason;
    this.#startLater(this.#createFollowUp(handler, redirected(request, decision, this.#homeOf(request))));
    return true;
  }

  /** Undefined if the response is no redirect, or one that the caller gets. */
  #decideRedirect(request: PreparedRequest, status: number, headers: RawHeaders): RedirectDecision | undefined {
    const location = firstOf(headers['location']);
    const { redirects } = this.#settings;
    if (redirects === false || !isRedirect(status, location) || request.stream?.redirect === 'manual') return undefined;
    const home = this.#homeOf(request);
    const { method, path, hop, source, body } = request;
    const bodyState =
      source !== undefined ? (source.replayable ? 'replayable' : 'spent') : body === undefined ? 'none' : 'replayable';
    const origin = hop?.origin ?? home;
    const hops = hop?.number ?? 0;
    const decision = decideRedirect(
      redirects,
      { method, origin, path, headers: request.headers, hops, body: bodyState },
      status,
      location,
    );
    const isUnreachable =
      decision.next === 'follow' && decision.origin !== home && this.#transportOf(request).crossOrigin === undefined;
    return isUnreachable ? { next: 'refuse', reason: 'crossOrigin' } : decision;
  }

  /** The origin that the request, before any redirect, is for. */
  #homeOf({ endpoint }: PreparedRequest): string {
    return endpoint?.target.origin ?? this.#settings.origin;
  }

  /** Credentials are renewed once per call, and for a hedge that was sent with the old ones. */
  #mayReauthorize({ request, authorization, renewals }: ResponseHandler): boolean {
    if (authorization === undefined || this.#settings.auth?.invalidate === undefined) return false;
    return request.source?.replayable !== false && renewals === 0;
  }

  /** Repeats the request with new credentials. */
  #reauthorize(handler: ResponseHandler): boolean {
    if (!this.#mayReauthorize(handler)) return false;
    handler.log.renewals++;
    this.#startLater(this.#createFollowUp(handler, handler.request), handler.authorization);
    return true;
  }

  /** Creates the handler of a request that follows the one that has just ended, in the same attempt. */
  #createFollowUp(
    { log, context, resolve, reject, scope }: ResponseHandler,
    request: PreparedRequest,
  ): ResponseHandler {
    const attemptStartedAtMs = request.attemptStartedAtMs ?? (log.lastEnded as HttpAttempt).startedAtMs;
    const next = { ...request, attemptStartedAtMs };
    const handler = new ResponseHandler(this.#settings, next, log, context, resolve, reject, this);
    handler.scope = scope;
    return handler;
  }

  /** Starts a request one turn later, when the transport has taken its connection back: at once, it would open another. */
  #startLater(handler: ResponseHandler, rejected?: Readonly<Record<string, string>>): void {
    handler.context.onCancel((reason) => handler.cancel(reason));
    this.#settings.clock.setTimer(() => {
      if (handler.settled) return;
      if (handler.scope === undefined) this.#start(handler, rejected);
      else handler.scope(() => this.#start(handler, rejected));
    }, 0);
  }

  /** @param rejected - credentials that the server has just rejected */
  #start(handler: ResponseHandler, rejected?: Readonly<Record<string, string>>): void {
    const { request, log, context } = handler;
    const { clock, authority, auth } = this.#settings;
    const now = log.isFresh ? log.startedAt : clock.monotonic();
    handler.renewals = log.renewals;
    log.begin(context.attempt, request.hop?.authority ?? request.endpoint?.target.authority ?? authority, now);
    const { hop } = request;
    if (hop !== undefined) {
      const redirect = { url: hop.origin + request.path, request: log.records.at(-1) as HttpAttempt };
      log.redirects = [...log.redirects, redirect];
    }
    context.onCancel((reason) => handler.cancel(reason));
    let headers = this.#headers(request, context.attempt, log, now);
    if (log.trace !== undefined) {
      log.trace.requestStarted(context.attempt, log.records.at(-1) as HttpAttempt, request);
      headers = log.trace.propagate(context.attempt, headers, request.hop?.crossesOrigin === true);
    }
    if (request.source === undefined && (auth === undefined || request.hop?.crossesOrigin === true)) {
      this.#dispatch(handler, headers, request.body ?? null, now);
    } else void this.#prepareAndDispatch(handler, headers, rejected);
  }

  /** Obtains the body, the credentials or both, and sends the request. Never rejects. */
  async #prepareAndDispatch(
    handler: ResponseHandler,
    usual: string[],
    rejected: Readonly<Record<string, string>> | undefined,
  ): Promise<void> {
    const { request } = handler;
    const { source } = request;
    let part: 'auth' | 'body' = 'body';
    try {
      const opened = source === undefined ? undefined : await source.open();
      handler.upload = opened?.stream;
      if (handler.settled) return;
      const headers = opened === undefined ? usual : withBodyHeaders(usual, opened);
      part = 'auth';
      const { auth } = this.#settings;
      if (auth === undefined || request.hop?.crossesOrigin === true) {
        this.#dispatch(handler, headers, opened?.body ?? null, this.#settings.clock.monotonic());
        return;
      }
      if (rejected !== undefined) await auth.invalidate?.(rejected);
      const own = await authorize(auth, handler, this.#homeOf(request), headers);
      if (handler.settled) return;
      handler.authorization = own;
      const all = mergeHeaders(headers, own, 'createHttpClient.auth.authorize()');
      this.#dispatch(handler, all, opened?.body ?? request.body ?? null, this.#settings.clock.monotonic());
    } catch (error) {
      handler.failBeforeSending(part, error);
    }
  }

  #dispatch(handler: ResponseHandler, headers: string[], body: OpenedBody['body'] | string | null, now: number): void {
    const { path, method, hop } = handler.request;
    const transport = this.#transportOf(handler.request);
    const outgoing = {
      origin: hop?.origin ?? this.#homeOf(handler.request),
      path,
      method,
      headers,
      body,
    } as DispatchOptions;
    const { stream } = handler.request;
    const reader = stream === undefined ? handler : new StreamHandler(handler, stream, this.#settings);
    const { auth } = this.#settings;
    const { authorization } = handler;
    const receiver =
      authorization === undefined || auth?.received === undefined
        ? reader
        : new AuthResponseListener(reader, auth, authorization, outgoing.origin as string);
    try {
      const dispatcher = hop?.crossesOrigin === true ? transport.crossOrigin : transport.dispatcher(now);
      if (dispatcher === undefined) return;
      const { trace } = handler.log;
      if (trace === undefined) dispatcher.dispatch(outgoing, receiver);
      else trace.dispatch(dispatcher, outgoing, receiver);
    } catch (error) {
      handler.onResponseError(null, error as Error);
    }
  }

  #transportOf({ endpoint }: PreparedRequest): Transport {
    return endpoint === undefined ? this.#transport : endpoint.transport;
  }

  #headers(request: PreparedRequest, attempt: number, log: AttemptLog, now: number): string[] {
    const { peer, attemptTimeoutMs, headers } = this.#settings;
    // The transport does not change the list.
    if (peer === 'external' || request.hop?.crossesOrigin === true) return request.headers as string[];
    const priority = request.priority ?? request.work?.priority;
    const attemptStartedAtMs = request.attemptStartedAtMs ?? now - log.startedAt;
    const limitMs = attemptTimeLeftMs(request, log, this.#settings, attemptStartedAtMs, now);
    const isUsual = attempt === 1 && limitMs === attemptTimeoutMs && (priority === undefined || priority === 'normal');
    if (isUsual && request.headers === headers) return this.#usualHeaders as string[];
    return withPropagation(request.headers, { limitMs, priority, attempt });
  }
}

function withBodyHeaders(headers: string[], { contentType, contentLength }: OpenedBody): string[] {
  if (contentType === undefined && contentLength === undefined) return headers;
  const all = [...headers];
  if (contentType !== undefined) all.push('content-type', contentType);
  if (contentLength !== undefined) all.push('content-length', String(contentLength));
  return all;
}
