import type { HttpAttempt } from './attempts.ts';
import type { RequestAttributes } from './request-attributes.ts';

/** A request of a call, and its span. */
export interface SentRequest<Span> {
  /** The number the policies give to its attempt: unique among the attempts in flight. */
  readonly number: number;
  readonly attributes: RequestAttributes;
  readonly record: HttpAttempt;
  readonly span: Span | undefined;
  /** The request of the same call that was sent before it. */
  readonly previous: SentRequest<Span> | undefined;
  protocol: string | undefined;
  cancelled: boolean;
  ended: boolean;
}

/** The requests of one call, as a linked list: nearly always there is one. */
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

  add(number: number, attributes: RequestAttributes, record: HttpAttempt, span: Span | undefined): void {
    const previous = this.#last;
    this.#last = { number, attributes, record, span, previous, protocol: undefined, cancelled: false, ended: false };
  }

  /** The request in flight of the attempt `number`. */
  inFlight(number: number): SentRequest<Span> | undefined {
    let one = this.#last;
    while (one !== undefined && (one.ended || one.number !== number)) one = one.previous;
    return one;
  }

  /** The spans of the requests, in the order in which they were sent. */
  spans(): Span[] {
    const spans: Span[] = [];
    for (let one = this.#last; one !== undefined; one = one.previous)
      if (one.span !== undefined) spans.unshift(one.span);
    return spans;
  }
}
