/** The way of a call to the origin; and of what comes back to the shelf, and to the caller. */
import type { Clock } from '@macadam/core';
import type { AttemptLog } from '../attempts.ts';
import { mergeHeaders } from '../headers.ts';
import type { PreparedRequest } from '../request.ts';
import { HttpResponse } from '../response.ts';
import { copyOf, discard } from '../stream/http-stream.ts';
import { answerOf, fieldsOf, isFailed, isUnreachable } from './answer.ts';
import { confirms, isConditional, validatorHeaders } from './conditional.ts';
import type { Responder } from './responder.ts';
import type { CacheCall } from './cache-call.ts';
import type { Load } from './in-flight.ts';
import { combined } from './ranges.ts';
import { mustBeAsked, type Reuse } from './reuse.ts';
import type { Learnt, Shelf } from './shelf.ts';
import type { StoredResponse } from './stored-response.ts';

/** Sends a request, through everything a call without a cache goes through. */
export type Forward = (request: PreparedRequest, log: AttemptLog) => Promise<HttpResponse>;

export class Origin {
  readonly #clock: Clock;
  readonly #forward: Forward;
  readonly #shelf: Shelf;
  readonly #responder: Responder;
  /** Whether the store is in another process, and may keep a call waiting. */
  readonly #isStoreRemote: boolean;
  /** What is being put away, maybe without its caller, who has gone on. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(clock: Clock, forward: Forward, shelf: Shelf, responder: Responder, isStoreRemote: boolean) {
    this.#clock = clock;
    this.#forward = forward;
    this.#shelf = shelf;
    this.#responder = responder;
    this.#isStoreRemote = isStoreRemote;
  }

  /** Asks whether what is stored is still good, or for a new answer. */
  async load(call: CacheCall, stored?: StoredResponse, reuse?: Reuse): Promise<HttpResponse> {
    const { request } = call;
    const asksItself = isConditional(request.headers) || request.method === 'HEAD';
    const validators = stored === undefined || asksItself ? undefined : validatorHeaders(stored);
    const sent = validators === undefined ? request : withHeaders(request, validators);
    const failed = (error: unknown): HttpResponse => this.#unanswered(call, error, stored, reuse);
    return this.#exchange(call, sent, failed, async (learnt, load) => {
      const { response } = learnt;
      if (stored !== undefined && reuse?.onError === true && isFailed(response.status)) {
        discard(response);
        return this.#responder.standIn(call, stored, reuse);
      }
      if (stored !== undefined && response.status === 304) {
        // After a redirect it speaks of what lies elsewhere.
        if (learnt.redirects.length === 0 && confirms(learnt.fields, stored, sent.headers)) {
          const renewal = this.#shelf.renewal(call, stored, learnt);
          await this.#put(call, load, () => this.#shelf.renew(call, renewal, load));
          if (validators === undefined && learnt.error !== undefined) return this.#pass(call, learnt);
          return this.#responder.renewed(call, renewal.fresh, 'fwd=stale; fwd-status=304');
        }
        // It speaks of a version that is not here: only the whole answer helps.
        if (validators !== undefined) return await this.load(call);
      }
      await this.#learn(call, stored, learnt, load);
      return this.#pass(call, learnt);
    });
  }

  /** Asks for what is missing of a part. */
  async complete(call: CacheCall, part: StoredResponse, rest: Record<string, string>): Promise<HttpResponse> {
    const { request } = call;
    const sent = withHeaders(request, rest);
    const failed = (error: unknown): HttpResponse => this.#unanswered(call, error);
    return this.#exchange(call, sent, failed, async (learnt, load) => {
      const { status } = learnt.response;
      if (status === 206) {
        const record = this.#shelf.recordOf({ ...call, request: sent }, learnt);
        const whole = record && combined(part, record);
        if (whole?.status === 200) {
          await this.#put(call, load, () => this.#shelf.keep(request, whole, load));
          return this.#responder.renewed(call, whole, 'fwd=partial; fwd-status=206');
        }
      }
      // Not what was asked for: nothing can be made of it, so all of it is asked for.
      if (status === 206 || status === 416) {
        discard(learnt.response);
        return await this.load(call);
      }
      await this.#learn(call, undefined, learnt, load);
      return this.#pass(call, learnt);
    });
  }

  /** Sends a request that may change something, and outdates what it may have changed. */
  async change(call: CacheCall): Promise<HttpResponse> {
    const { request } = call;
    const load = this.#shelf.begin(request);
    try {
      const learnt = await this.#ask(call, request);
      const isOutdated = load.isOutdated();
      await this.#wait(call, this.#shelf.outdate(request, learnt));
      // Its own answer is kept when that says it is what GET would give.
      if (!isOutdated) await this.#learnOwn(call, learnt);
      if (learnt.error !== undefined) throw learnt.error;
      return learnt.response;
    } finally {
      load.end();
    }
  }

  /** Waits for what is being put away. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** Sends a request, and makes an answer of what comes back, or of its failure. Until then it counts as under way. */
  async #exchange(
    call: CacheCall,
    sent: PreparedRequest,
    failed: (error: unknown) => HttpResponse,
    answered: (learnt: Learnt, load: Load) => Promise<HttpResponse>,
  ): Promise<HttpResponse> {
    const load = this.#shelf.begin(call.request);
    try {
      const learnt = await this.#ask(call, sent).catch((error: unknown) => failed(error));
      return learnt instanceof HttpResponse ? learnt : await answered(learnt, load);
    } finally {
      load.end();
    }
  }

  /** With the time that is left: the call may have waited for the store, or be asking a second time. */
  async #ask({ log, storeTimeout }: CacheCall, request: PreparedRequest): Promise<Learnt> {
    const requestedAtMs = this.#clock.now();
    const hops = log.redirects.length;
    const { response, error } = await answerOf(this.#forward(storeTimeout.shortened(request), log));
    const times = { requestedAtMs, receivedAtMs: this.#clock.now() };
    const places = log.route?.tried.map(({ target }) => target) ?? [];
    return { response, error, fields: fieldsOf(response), times, redirects: log.redirects.slice(hops), places };
  }

  /** Hands on what came from the origin, as it came. */
  #pass({ counts }: CacheCall, { response, error }: Learnt): HttpResponse {
    counts.misses++;
    if (error !== undefined) throw error;
    return response;
  }

  #unanswered(call: CacheCall, error: unknown, stored?: StoredResponse, reuse?: Reuse): HttpResponse {
    const unreachable = stored !== undefined && isUnreachable(error);
    if (unreachable && reuse?.onUnreachable === true) return this.#responder.standIn(call, stored, reuse);
    const { request, counts } = call;
    counts.misses++;
    // `fetch` has no better way to say it; whoever made a call of this client's own is told what went wrong.
    if (unreachable && request.stream !== undefined && mustBeAsked(stored))
      throw this.#responder.timeout(request, 'stale');
    throw error;
  }

  async #learnOwn(call: CacheCall, learnt: Learnt): Promise<void> {
    const load = this.#shelf.begin(call.request);
    try {
      await this.#learn(call, undefined, learnt, load);
    } finally {
      load.end();
    }
  }

  /** Learns from an answer: at once, or when its reader has come to the end of it. */
  async #learn(call: CacheCall, stored: StoredResponse | undefined, learnt: Learnt, load: Load): Promise<void> {
    const learn = (response: HttpResponse): Promise<void> =>
      this.#put(call, load, () => this.#shelf.learn(call, stored, { ...learnt, response }, load));
    const { response, fields } = learnt;
    const copy = copyOf(response);
    if (copy === undefined) return await learn(response);
    const { subject } = call.request;
    const done = copy.take((bytes) =>
      learn(bytes === undefined ? response : new HttpResponse(subject, response.status, fields, bytes)),
    );
    load.lastsFor(done);
    if (copy.isComplete) await done;
  }

  /** Puts away what the origin said, unless something has changed since it was asked. */
  async #put(call: CacheCall, load: Load, put: () => Promise<void>): Promise<void> {
    if (load.isOutdated()) return;
    const done = put();
    load.lastsFor(done);
    await this.#wait(call, done);
  }

  #wait({ storeTimeout }: CacheCall, done: Promise<void>): Promise<void> {
    if (!this.#isStoreRemote) return done;
    this.#underWay.add(done);
    void done.finally(() => this.#underWay.delete(done));
    return storeTimeout.wait(done);
  }
}

function withHeaders(request: PreparedRequest, headers: Record<string, string>): PreparedRequest {
  return { ...request, headers: mergeHeaders(request.headers, headers) };
}
