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
import { decideRedirect, isRedirect, type RedirectRefusal } from './redirect.ts';
import { addressed, redirected, type PreparedRequest } from './request.ts';
import { ResponseHandler } from './response-handler.ts';
import type { HttpResponse } from './response.ts';
import { firstOf } from './retry-after.ts';
import type { HttpClientSettings } from './settings.ts';
import { StreamHandler } from './stream/stream-handler.ts';

/**
 * Sends the tries of calls: where a call meets the transport. A try is one request, and more when it is redirected or
 * its token is not accepted any more.
 */
export class Sender implements FollowUpSender {
  readonly #settings: HttpClientSettings;
  readonly #transport: Transport;
  /** What a first try within the usual limits sends to an internal peer: made once. */
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

  /** Tries that were begun. */
  get attempts(): number {
    return this.#attempts;
  }

  /** One try of a call. */
  attempt(request: PreparedRequest, log: AttemptLog, context: ExecuteContext): Promise<HttpResponse> {
    // A stream that an earlier try has sent: what that try failed with is what there is to say.
    if (request.source?.replayable === false) {
      return Promise.reject(new HttpRequestError(request.subject, 'body', log.failure));
    }
    this.#attempts++;
    const endpoint = log.route?.takeEndpoint();
    const own = endpoint === undefined ? request : addressed(request, endpoint);
    return new Promise((resolve, reject) => {
      const handler = new ResponseHandler(this.#settings, own, log, context, resolve, reject, this);
      const asks = this.#settings.auth !== undefined || own.source !== undefined;
      if (asks) handler.scope = own.scope ?? AsyncLocalStorage.snapshot();
      if (own.scope === undefined) this.#start(handler);
      else own.scope(() => this.#start(handler));
    });
  }

  follow(handler: ResponseHandler, status: number, headers: RawHeaders): boolean | RedirectRefusal {
    if (status === 401) return this.#reauthorize(handler);
    const location = firstOf(headers['location']);
    const { redirects } = this.#settings;
    const { request } = handler;
    if (redirects === false || !isRedirect(status, location) || request.stream?.redirect === 'manual') return false;
    const home = request.endpoint?.target.origin ?? this.#settings.origin;
    const { method, path, hop, source, body } = request;
    const held =
      source !== undefined ? (source.replayable ? 'replayable' : 'spent') : body === undefined ? 'none' : 'replayable';
    const origin = hop?.origin ?? home;
    const hops = hop?.number ?? 0;
    const decision = decideRedirect(
      redirects,
      { method, origin, path, headers: request.headers, hops, body: held },
      status,
      location,
    );
    if (decision.next === 'refuse') return decision.reason;
    if (decision.origin !== home && this.#transportOf(request).crossOrigin === undefined) return 'crossOrigin';
    handler.log.redirects = [...handler.log.redirects, decision.origin + decision.path];
    if (request.stream !== undefined) {
      request.stream.redirected = true;
      request.stream.url = decision.origin + decision.path;
    }
    this.#startNext(this.#successor(handler, redirected(request, decision, home)));
    return true;
  }

  /** One more try of the same, with fresh credentials: once in a call, and for a hedge that was sent with the old ones. */
  #reauthorize(handler: ResponseHandler): boolean {
    const { request, log, authorization } = handler;
    if (authorization === undefined || this.#settings.auth?.invalidate === undefined) return false;
    if (request.source?.replayable === false) return false;
    if (handler.renewals > 0) return false;
    log.renewals++;
    this.#startNext(this.#successor(handler, request), authorization);
    return true;
  }

  /** For the request that follows the one that has just ended, in the same try. */
  #successor({ log, context, resolve, reject, scope }: ResponseHandler, request: PreparedRequest): ResponseHandler {
    const triedFromMs = request.triedFromMs ?? (log.lastEnded as HttpAttempt).startedAtMs;
    const next = { ...request, triedFromMs };
    const handler = new ResponseHandler(this.#settings, next, log, context, resolve, reject, this);
    handler.scope = scope;
    return handler;
  }

  /** A moment later, when the transport has taken the connection up again: else it opens another. */
  #startNext(handler: ResponseHandler, rejected?: Readonly<Record<string, string>>): void {
    handler.context.onCancel((reason) => handler.cancel(reason));
    this.#settings.clock.setTimer(() => {
      if (handler.settled) return;
      if (handler.scope === undefined) this.#start(handler, rejected);
      else handler.scope(() => this.#start(handler, rejected));
    }, 0);
  }

  /** @param rejected - credentials that the server has just turned down */
  #start(handler: ResponseHandler, rejected?: Readonly<Record<string, string>>): void {
    const { request, log, context } = handler;
    const { clock, authority, auth } = this.#settings;
    const now = log.isFresh ? log.startedAt : clock.monotonic();
    handler.renewals = log.renewals;
    log.begin(context.attempt, request.hop?.authority ?? request.endpoint?.target.authority ?? authority, now);
    context.onCancel((reason) => handler.cancel(reason));
    let headers = this.#headers(request, context.attempt, log, now);
    if (log.trace !== undefined) {
      log.trace.began(context.attempt, log.records.at(-1) as HttpAttempt, request);
      headers = log.trace.propagated(context.attempt, headers, request.hop?.crossesOrigin === true);
    }
    if (request.source === undefined && (auth === undefined || request.hop?.crossesOrigin === true)) {
      this.#dispatch(handler, headers, request.body ?? null, now);
    } else void this.#prepare(handler, headers, rejected);
  }

  /** The way of requests that need something first: a body that is made for this try, a token. Never rejects. */
  async #prepare(
    handler: ResponseHandler,
    usual: string[],
    rejected: Readonly<Record<string, string>> | undefined,
  ): Promise<void> {
    const { request } = handler;
    const { source } = request;
    let part: 'auth' | 'body' = 'body';
    try {
      const opened = source === undefined ? undefined : await source.open();
      if (handler.settled) return;
      const headers = opened === undefined ? usual : withBodyHeaders(usual, opened);
      part = 'auth';
      const { auth } = this.#settings;
      if (auth === undefined || request.hop?.crossesOrigin === true) {
        this.#dispatch(handler, headers, opened?.body ?? null, this.#settings.clock.monotonic());
        return;
      }
      if (rejected !== undefined) await auth.invalidate?.(rejected);
      const own = await authorize(auth, handler, request.endpoint?.target.origin ?? this.#settings.origin, headers);
      if (handler.settled) return;
      handler.authorization = own;
      const all = mergeHeaders(headers, own, 'createHttpClient.auth.authorize()');
      this.#dispatch(handler, all, opened?.body ?? request.body ?? null, this.#settings.clock.monotonic());
    } catch (error) {
      handler.failBeforeSending(part, error);
    }
  }

  #dispatch(handler: ResponseHandler, headers: string[], body: OpenedBody['body'] | string | null, now: number): void {
    const { path, method, hop, endpoint } = handler.request;
    const origin = endpoint?.target.origin ?? this.#settings.origin;
    const transport = this.#transportOf(handler.request);
    const outgoing = { origin: hop?.origin ?? origin, path, method, headers, body } as DispatchOptions;
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
      const { trace } = handler.log;
      if (trace === undefined) dispatcher?.dispatch(outgoing, receiver);
      else trace.dispatching(() => dispatcher?.dispatch(outgoing, receiver));
    } catch (error) {
      handler.onResponseError(null, error as Error);
    }
  }

  #transportOf({ endpoint }: PreparedRequest): Transport {
    return endpoint === undefined ? this.#transport : endpoint.transport;
  }

  #headers(request: PreparedRequest, attempt: number, log: AttemptLog, now: number): string[] {
    const { peer, attemptTimeoutMs, headers } = this.#settings;
    // The transport only reads the list.
    if (peer === 'external' || request.hop?.crossesOrigin === true) return request.headers as string[];
    const priority = request.priority ?? request.work?.priority;
    const attemptStartedAtMs = request.triedFromMs ?? now - log.startedAt;
    const limitMs = attemptTimeLeftMs(request, log, this.#settings, attemptStartedAtMs, now);
    const usual = attempt === 1 && limitMs === attemptTimeoutMs && (priority === undefined || priority === 'normal');
    if (usual && request.headers === headers) return this.#usualHeaders as string[];
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
