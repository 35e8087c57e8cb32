/** The way of a call to the origin; and of what comes back to the shelf, and to the caller. */
import type { Clock } from '@macadam/core';
import type { AttemptLog } from '../attempts.ts';
import { mergeHeaders } from '../headers.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { discard } from '../stream/http-stream.ts';
import { answerOf, fieldsOf, isFailed, isUnreachable } from './answer.ts';
import { confirms, isConditional, validatorHeaders } from './conditional.ts';
import type { Desk } from './desk.ts';
import type { Errand } from './errand.ts';
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
  readonly #desk: Desk;
  /** What is being put away, maybe without its caller, who has gone on. */
  readonly #underWay = new Set<Promise<void>>();

  constructor(clock: Clock, forward: Forward, shelf: Shelf, desk: Desk) {
    this.#clock = clock;
    this.#forward = forward;
    this.#shelf = shelf;
    this.#desk = desk;
  }

  /** Asks whether what is stored is still good, or for a new answer. */
  async load(errand: Errand, stored?: StoredResponse, reuse?: Reuse): Promise<HttpResponse> {
    const { request } = errand;
    const asksItself = isConditional(request.headers) || request.method === 'HEAD';
    const validators = stored === undefined || asksItself ? undefined : validatorHeaders(stored);
    const sent = validators === undefined ? request : withHeaders(request, validators);
    const load = this.#shelf.begin(request);
    try {
      let learnt: Learnt;
      try {
        learnt = await this.#ask(sent, errand.log);
      } catch (error) {
        return this.#unanswered(errand, error, stored, reuse);
      }
      const { response } = learnt;
      if (stored !== undefined && reuse?.onError === true && isFailed(response.status)) {
        discard(response);
        return this.#desk.standIn(errand, stored, reuse);
      }
      if (stored !== undefined && response.status === 304) {
        // After a redirect it speaks of what lies elsewhere.
        if (learnt.redirects.length === 0 && confirms(learnt.fields, stored, sent.headers)) {
          const renewal = this.#shelf.renewal(errand, stored, learnt);
          await this.#put(errand, load, () => this.#shelf.renew(errand, renewal, load));
          if (validators === undefined && learnt.error !== undefined) return this.#pass(errand, learnt);
          return this.#desk.renewed(errand, renewal.fresh, 'fwd=stale; fwd-status=304');
        }
        // It speaks of a version that is not here: only the whole answer helps.
        if (validators !== undefined) return await this.load(errand);
      }
      await this.#put(errand, load, () => this.#shelf.learn(errand, stored, learnt, load));
      return this.#pass(errand, learnt);
    } finally {
      load.end();
    }
  }

  /** Asks for what is missing of a part. */
  async complete(errand: Errand, part: StoredResponse, rest: Record<string, string>): Promise<HttpResponse> {
    const { request } = errand;
    const sent = withHeaders(request, rest);
    const load = this.#shelf.begin(request);
    try {
      let learnt: Learnt;
      try {
        learnt = await this.#ask(sent, errand.log);
      } catch (error) {
        return this.#unanswered(errand, error);
      }
      const { status } = learnt.response;
      if (status === 206) {
        const record = this.#shelf.recordOf({ ...errand, request: sent }, learnt);
        const whole = record && combined(part, record);
        if (whole?.status === 200) {
          await this.#put(errand, load, () => this.#shelf.keep(request, whole, load));
          return this.#desk.renewed(errand, whole, 'fwd=partial; fwd-status=206');
        }
      }
      // Not what was asked for: nothing can be made of it, so all of it is asked for.
      if (status === 206 || status === 416) {
        discard(learnt.response);
        return await this.load(errand);
      }
      await this.#put(errand, load, () => this.#shelf.learn(errand, undefined, learnt, load));
      return this.#pass(errand, learnt);
    } finally {
      load.end();
    }
  }

  /** Sends a request that may change something, and outdates what it may have changed. */
  async change(errand: Errand): Promise<HttpResponse> {
    const { request, log } = errand;
    const load = this.#shelf.begin(request);
    try {
      const learnt = await this.#ask(request, log);
      await this.#wait(errand, this.#shelf.change(errand, load, learnt));
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

  async #ask(request: PreparedRequest, log: AttemptLog): Promise<Learnt> {
    const requestedAt = this.#clock.now();
    const hops = log.redirects.length;
    const { response, error } = await answerOf(this.#forward(request, log));
    const times = { requestedAt, receivedAt: this.#clock.now() };
    return { response, error, fields: fieldsOf(response), times, redirects: log.redirects.slice(hops) };
  }

  /** Hands on what came from the origin, as it came. */
  #pass({ counts }: Errand, { response, error }: Learnt): HttpResponse {
    counts.misses++;
    if (error !== undefined) throw error;
    return response;
  }

  #unanswered(errand: Errand, error: unknown, stored?: StoredResponse, reuse?: Reuse): HttpResponse {
    const unreachable = stored !== undefined && isUnreachable(error);
    if (unreachable && reuse?.onUnreachable === true) return this.#desk.standIn(errand, stored, reuse);
    const { request, counts } = errand;
    counts.misses++;
    // `fetch` has no better way to say it; whoever made a call of this client's own is told what went wrong.
    if (unreachable && request.stream !== undefined && mustBeAsked(stored)) throw this.#desk.timeout(request, 'stale');
    throw error;
  }

  /** Puts away what the origin said, unless something has changed since it was asked. */
  async #put(errand: Errand, load: Load, put: () => Promise<void>): Promise<void> {
    if (load.isOutdated()) return;
    const done = put();
    load.lastsFor(done);
    await this.#wait(errand, done);
  }

  #wait({ patience }: Errand, done: Promise<void>): Promise<void> {
    if (patience === undefined) return done;
    this.#underWay.add(done);
    void done.finally(() => this.#underWay.delete(done));
    return patience.wait(done);
  }
}

function withHeaders(request: PreparedRequest, headers: Record<string, string>): PreparedRequest {
  return { ...request, headers: mergeHeaders(request.headers, headers) };
}
