/**
 * Sends requests to the origin on behalf of the cache, has their responses stored, and decides what the caller gets: the
 * response of the origin, a stored response that it validated or completed, or a stale one because it failed.
 */
import type { Clock } from '@macadam/core';
import type { AttemptLog } from '../attempts.ts';
import { mergeHeaders } from '../headers.ts';
import { isCancelReason } from '../cancel-reason.ts';
import type { PreparedRequest } from '../request.ts';
import { HttpResponse } from '../response.ts';
import { copyOf, discard } from '../stream/http-stream.ts';
import type { CacheCall } from './cache-call.ts';
import { isConditional, isValidatedBy, validationHeaders } from './conditional.ts';
import { responseFields } from './fields.ts';
import type { InFlightRequest } from './in-flight-requests.ts';
import { isErrorStatus, isUnreachable } from './origin-failure.ts';
import { responseOfAnyStatus, type OriginResponse } from './origin-response.ts';
import type { Responder } from './responder.ts';
import type { ResponseStore } from './response-store.ts';
import { requiresValidation, type Reuse } from './reuse.ts';
import type { StoredResponse } from './stored-response.ts';

/** Sends a request through all policies of the client, as a call without a cache is sent. */
export type SendRequest = (request: PreparedRequest, log: AttemptLog) => Promise<HttpResponse>;

export class Origin {
  readonly #clock: Clock;
  readonly #sendRequest: SendRequest;
  readonly #responses: ResponseStore;
  readonly #responder: Responder;
  /** Whether the store is outside this process, so that waiting for it must be limited. */
  readonly #isStoreRemote: boolean;
  /** Unfinished writes to a remote store. Calls may end before them. */
  readonly #pendingWrites = new Set<Promise<void>>();

  constructor(
    clock: Clock,
    sendRequest: SendRequest,
    responses: ResponseStore,
    responder: Responder,
    isStoreRemote: boolean,
  ) {
    this.#clock = clock;
    this.#sendRequest = sendRequest;
    this.#responses = responses;
    this.#responder = responder;
    this.#isStoreRemote = isStoreRemote;
  }

  /** Forwards a request. With a stored response that has a validator, validates that (RFC 9111, section 4.3). */
  async forward(call: CacheCall, stored?: StoredResponse, reuse?: Reuse): Promise<HttpResponse> {
    const { request } = call;
    const forwardsUnchanged = isConditional(request.headers) || request.method === 'HEAD';
    const validation = stored === undefined || forwardsUnchanged ? undefined : validationHeaders(stored);
    const sent = validation === undefined ? request : withHeaders(request, validation);
    const onFailure = (error: unknown): HttpResponse => this.#serveStaleOrThrow(call, error, stored, reuse);
    return this.#exchange(call, sent, onFailure, async (received, inFlight) => {
      const { response, statusError } = received;
      if (stored !== undefined && reuse?.allowsStaleIfError === true && isErrorStatus(response.status)) {
        discard(response);
        return this.#responder.serveInsteadOfError(call, stored, reuse);
      }
      if (stored !== undefined && response.status === 304) {
        // After a redirect, the 304 is about another URL.
        if (!received.isRedirected && isValidatedBy(stored, received.fields, sent.headers)) {
          const freshened = this.#responses.freshened(call, stored, received);
          await this.#write(call, inFlight, () => this.#responses.replace(call, stored, freshened, inFlight));
          // The condition was the caller's own, so the caller gets the 304.
          if (validation === undefined && statusError !== undefined) return this.#passOn(call, received);
          return this.#responder.serveRevalidated(call, freshened, 'fwd=stale; fwd-status=304');
        }
        // The 304 is about a version that is not stored: only an unconditional request brings a body.
        if (validation !== undefined) return await this.forward(call);
      }
      await this.#storeReceived(call, stored, received, inFlight);
      return this.#passOn(call, received);
    });
  }

  /** Requests what a stored part of the representation lacks, and combines both (RFC 9111, section 3.4). */
  async complete(call: CacheCall, part: StoredResponse, remainder: Record<string, string>): Promise<HttpResponse> {
    const { request } = call;
    const sent = withHeaders(request, remainder);
    const onFailure = (error: unknown): HttpResponse => this.#serveStaleOrThrow(call, error);
    return this.#exchange(call, sent, onFailure, async (received, inFlight) => {
      const { status } = received.response;
      if (status === 206) {
        const newer = this.#responses.toStored({ ...call, request: sent }, received);
        const complete = newer && this.#responses.combined(part, newer);
        if (complete?.status === 200) {
          await this.#write(call, inFlight, () => this.#responses.put(call, complete, inFlight));
          return this.#responder.serveRevalidated(call, complete, 'fwd=partial; fwd-status=206');
        }
      }
      // Not the remainder: the whole representation is requested.
      if (status === 206 || status === 416) {
        discard(received.response);
        return await this.forward(call);
      }
      await this.#storeReceived(call, undefined, received, inFlight);
      return this.#passOn(call, received);
    });
  }

  /** Forwards an unsafe request, and invalidates what it may have changed (RFC 9111, section 4.4). */
  async forwardUnsafe(call: CacheCall): Promise<HttpResponse> {
    const { request } = call;
    let inFlight = this.#responses.begin(call);
    try {
      const received = await this.#send(call, request);
      const wasInvalidated = inFlight.isInvalidated();
      const invalidation = this.#responses.invalidate(request, received);
      // The invalidation includes this request: from here on, only later ones count for its response.
      inFlight.end();
      inFlight = this.#responses.begin(call);
      await this.#waitForStore(call, invalidation);
      if (!wasInvalidated) await this.#storeReceived(call, undefined, received, inFlight);
      if (received.statusError !== undefined) throw received.statusError;
      return received.response;
    } finally {
      inFlight.end();
    }
  }

  /** Waits for pending writes to the store. */
  async settled(): Promise<void> {
    await Promise.all(this.#pendingWrites);
  }

  /** Sends a request and makes the caller's response of what comes back. The request counts as in flight until then. */
  async #exchange(
    call: CacheCall,
    sent: PreparedRequest,
    onFailure: (error: unknown) => HttpResponse,
    onResponse: (received: OriginResponse, inFlight: InFlightRequest) => Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    const inFlight = this.#responses.begin(call);
    try {
      const received = await this.#send(call, sent).catch((error: unknown) => onFailure(error));
      return received instanceof HttpResponse ? received : await onResponse(received, inFlight);
    } finally {
      inFlight.end();
    }
  }

  /** Sends a request with the time that the call has left, after the store and earlier requests of the same call. */
  async #send({ log, storeTimeout }: CacheCall, request: PreparedRequest): Promise<OriginResponse> {
    const calledAtMs = this.#clock.now();
    const earlierRedirects = log.redirects.length;
    const { response, statusError } = await responseOfAnyStatus(
      this.#sendRequest(storeTimeout.withRemainingTime(request), log),
      request,
    );
    const receivedAtMs = this.#clock.now();
    const answered = log.requestAnsweredWith(response.status);
    const delayMs = this.#clock.monotonic() - log.startedAt - (answered?.startedAtMs ?? 0);
    // Rounded down to whole milliseconds, but not to a time before the call.
    const times = { requestedAtMs: Math.max(calledAtMs, Math.floor(receivedAtMs - delayMs)), receivedAtMs };
    const followed = log.redirects.slice(earlierRedirects);
    const isRedirected = followed.some(({ request: redirected }) => redirected === answered);
    const redirects = followed.map(({ url }) => url);
    const endpoints = log.router?.attempted.map(({ target }) => target) ?? [];
    return { response, statusError, fields: responseFields(response), times, isRedirected, redirects, endpoints };
  }

  /** Gives the caller what the origin sent. */
  #passOn({ counts }: CacheCall, { response, statusError }: OriginResponse): HttpResponse {
    counts.misses++;
    if (statusError !== undefined) throw statusError;
    return response;
  }

  #serveStaleOrThrow(call: CacheCall, error: unknown, stored?: StoredResponse, reuse?: Reuse): HttpResponse {
    const canBeStale = stored !== undefined && isUnreachable(error) && !isCancelReason(error, call.request);
    if (canBeStale && reuse?.allowsStaleIfUnreachable === true) {
      return this.#responder.serveInsteadOfError(call, stored, reuse);
    }
    const { request, counts } = call;
    counts.misses++;
    // RFC 9111, section 5.2.2.2, demands an error response, which is what `fetch` returns. The methods of the client throw
    // the failure itself, which says more.
    if (canBeStale && request.stream !== undefined && requiresValidation(stored)) {
      throw this.#responder.gatewayTimeout(request, 'stale');
    }
    throw error;
  }

  /** Has a response stored: now, or when its reader has reached the end of a streamed body. */
  async #storeReceived(
    call: CacheCall,
    stored: StoredResponse | undefined,
    received: OriginResponse,
    inFlight: InFlightRequest,
  ): Promise<void> {
    const store = (response: HttpResponse): Promise<void> =>
      this.#write(call, inFlight, () =>
        this.#responses.storeReceived(call, stored, { ...received, response }, inFlight),
      );
    const { response, fields } = received;
    const copy = copyOf(response);
    if (copy === undefined) return await store(response);
    const { subject } = call.request;
    const done = copy.consume((bytes) =>
      store(bytes === undefined ? response : new HttpResponse(subject, response.status, fields, bytes)),
    );
    inFlight.extendUntil(done);
    if (copy.isComplete) await done;
  }

  /** Writes to the store, unless the URL was invalidated after the request was sent. */
  async #write(call: CacheCall, inFlight: InFlightRequest, write: () => Promise<void>): Promise<void> {
    if (inFlight.isInvalidated()) return;
    const done = write();
    inFlight.extendUntil(done);
    await this.#waitForStore(call, done);
  }

  #waitForStore({ storeTimeout }: CacheCall, done: Promise<void>): Promise<void> {
    if (!this.#isStoreRemote) return done;
    this.#pendingWrites.add(done);
    void done.finally(() => this.#pendingWrites.delete(done));
    return storeTimeout.wait(done);
  }
}

function withHeaders(request: PreparedRequest, headers: Record<string, string>): PreparedRequest {
  return { ...request, headers: mergeHeaders(request.headers, headers) };
}
