import type { HttpAttempt } from './attempts.ts';
import type { RequestAttributes } from './request-attributes.ts';

/** A request of a call, and the span that tells of it. */
export interface SentRequest<Span> {
  /** What the policies call the try it is part of: unique among those in flight. */
  readonly number: number;
  readonly fields: RequestAttributes;
  readonly record: HttpAttempt;
  readonly span: Span | undefined;
  /** The request of the same call that went out before it. */
  readonly previous: SentRequest<Span> | undefined;
  protocol: string | undefined;
  cancelled: boolean;
  ended: boolean;
}

/** The requests of one call. They are kept until it ends, as a chain: nearly always there is one. */
export class SentRequests<Span> {
  #last: SentRequest<Span> | undefined = undefined;

  get last(): SentRequest<Span> | undefined {
    return this.#last;
  }

  get count(): number {
    let count = 0;
    for (let one = this.#last; one !== undefined; one = one.previous) count++;
    return count;
  }

  add(number: number, fields: RequestAttributes, record: HttpAttempt, span: Span | undefined): void {
    const previous = this.#last;
    this.#last = { number, fields, record, span, previous, protocol: undefined, cancelled: false, ended: false };
  }

  /** The one in flight that is part of the try `number`. */
  inFlight(number: number): SentRequest<Span> | undefined {
    let one = this.#last;
    while (one !== undefined && (one.ended || one.number !== number)) one = one.previous;
    return one;
  }

  /** Their spans, in the order they went out. */
  spans(): Span[] {
    const spans: Span[] = [];
    for (let one = this.#last; one !== undefined; one = one.previous)
      if (one.span !== undefined) spans.unshift(one.span);
    return spans;
  }
}
