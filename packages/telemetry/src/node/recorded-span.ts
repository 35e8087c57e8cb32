import { inspect } from 'node:util';
import { type AnyValue, type Attributes, diag, type Exception, type HrTime, type Link } from '@opentelemetry/api';
import { type SpanContext, type SpanKind, type SpanStatus, SpanStatusCode, type TimeInput } from '@opentelemetry/api';
import { addMs, type ClockReading, durationBetween, hrTimeOf, isHrTime, isTimeInput, readingOf } from './hr-time.ts';
import { Newest } from './newest.ts';
import { printSpan } from './print-span.ts';
import type { Resource } from './resource.ts';
import { copyWithin, isAttributeName, isAttributeValue } from './span-attributes.ts';
import { cleanEvent, cleanLink, cleanStatus, exceptionAttributes } from './span-parts.ts';
import type { SpanSource, SpanStart } from './span-start.ts';
import type { ReadableSpan, SdkSpan, TimedEvent } from './traces-sdk.ts';

/**
 * A span that behaves and is exported as one of the SDK, at a fraction of the cost. Attributes are checked once, and lists of
 * events and links exist only when there is something in them. Times are kept as numbers: thousands of spans wait for the next
 * batch, and the garbage collector visits each object that they hold. A span keeps nothing that its caller can change later.
 *
 * A number that is given as a time is in epoch milliseconds or, if not above the clock's `monotonic()`, an earlier value of that.
 */
export class RecordedSpan implements SdkSpan {
  name: string;
  readonly kind: SpanKind;
  readonly parentSpanContext?: SpanContext;
  readonly attributes: Attributes;
  readonly #source: SpanSource;
  readonly #context: SpanContext;
  readonly #startSeconds: number;
  readonly #startNanos: number;
  /** Undefined until the span ends. */
  #endSeconds: number | undefined = undefined;
  #endNanos = 0;
  /** The clock's `monotonic()` at the start; undefined if the caller said when the span started. */
  #startedAtMs: number | undefined = undefined;
  /** Relates `monotonic()` to the epoch. Read once, so that the time between two values of it stays exact. */
  #reading: ClockReading | undefined = undefined;
  /** How many attributes can be set before they must be counted; below 0 if there is no room for a new one. */
  #attributeRoom = 0;
  #droppedAttributes: number;
  #events: Newest<TimedEvent> | undefined = undefined;
  #links: Newest<Link> | undefined = undefined;
  #status: SpanStatus | undefined = undefined;
  #ended = false;

  constructor(source: SpanSource, start: SpanStart) {
    this.name = start.name;
    this.kind = start.kind;
    // Also if there is none, so that all spans have the same shape.
    this.parentSpanContext = start.parent as SpanContext;
    this.attributes = start.attributes;
    this.#source = source;
    this.#context = start.spanContext;
    this.#droppedAttributes = start.droppedAttributes;
    const { startTime } = start;
    const time = isHrTime(startTime) ? startTime : this.#startTimeOf(startTime);
    this.#startSeconds = time[0];
    this.#startNanos = time[1];
    for (const link of start.links) this.#linkList().add(link);
  }

  get resource(): Resource {
    return this.#source.resource;
  }

  get instrumentationScope(): ReadableSpan['instrumentationScope'] {
    return this.#source.scope;
  }

  get startTime(): HrTime {
    return [this.#startSeconds, this.#startNanos];
  }

  get endTime(): HrTime {
    return [this.#endSeconds ?? 0, this.#endNanos];
  }

  get duration(): HrTime {
    return this.#endSeconds === undefined ? [-1, -1] : durationBetween(this.startTime, this.endTime);
  }

  get ended(): boolean {
    return this.#ended;
  }

  get status(): SpanStatus {
    return (this.#status ??= { code: SpanStatusCode.UNSET });
  }

  get events(): TimedEvent[] {
    return this.#eventList().items;
  }

  get links(): Link[] {
    return this.#linkList().items;
  }

  get droppedAttributesCount(): number {
    return this.#droppedAttributes;
  }

  get droppedEventsCount(): number {
    return this.#events?.dropped ?? 0;
  }

  get droppedLinksCount(): number {
    return this.#links?.dropped ?? 0;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  isRecording(): boolean {
    return !this.#ended;
  }

  setAttribute(key: string, value: AnyValue): this {
    if (this.#isOpen() && value !== undefined) this.#setAttribute(key, value);
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const key in attributes) if (Object.hasOwn(attributes, key)) this.setAttribute(key, attributes[key]);
    return this;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (!this.#isOpen()) return this;
    const isTime = isTimeInput(attributesOrTime);
    const when = this.#timeOf(isTime && !isTimeInput(time) ? attributesOrTime : time);
    this.#eventList().add(cleanEvent(name, when, isTime ? undefined : attributesOrTime, this.#source.limits));
    return this;
  }

  addLink(link: Link): this {
    if (this.#isOpen()) this.#linkList().add(cleanLink(link, this.#source.limits));
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const attributes = exceptionAttributes(exception);
    if (attributes === undefined) diag.warn('An exception without type and message was not recorded.');
    else this.addEvent('exception', attributes, time);
  }

  /** OK is final, and UNSET is no status to return to. */
  setStatus(status: SpanStatus): this {
    if (!this.#isOpen() || status.code === SpanStatusCode.UNSET) return this;
    if (this.#status?.code !== SpanStatusCode.OK) this.#status = cleanStatus(status);
    return this;
  }

  updateName(name: string): this {
    if (this.#isOpen()) this.name = name;
    return this;
  }

  end(endTime?: TimeInput): void {
    if (this.#ended) {
      diag.error(`The span ${this.#id} was ended a second time.`);
      return;
    }
    const time = isHrTime(endTime) ? endTime : this.#timeOf(endTime);
    this.#endSeconds = time[0];
    this.#endNanos = time[1];
    this.#checkEnd();
    const { processor } = this.#source;
    processor.onEnding?.(this);
    this.#ended = true;
    processor.onEnd(this);
  }

  get #id(): string {
    return `${this.name} (trace ${this.#context.traceId}, span ${this.#context.spanId})`;
  }

  #isOpen(): boolean {
    if (this.#ended) diag.warn(`The span ${this.#id} has ended and cannot be changed.`, new Error('Called from here'));
    return !this.#ended;
  }

  #setAttribute(key: string, value: AnyValue): void {
    if (!isAttributeName(key)) return;
    const { attributeValueLengthLimit } = this.#source.limits;
    if (!this.#hasRoomFor(key)) {
      if (++this.#droppedAttributes === 1) diag.warn(`The span ${this.#id} is full: further attributes are dropped.`);
    } else if (isAttributeValue(key, value)) this.attributes[key] = copyWithin(value, attributeValueLengthLimit);
  }

  #hasRoomFor(key: string): boolean {
    if (this.#attributeRoom === 0) {
      const room = this.#source.limits.attributeCountLimit - Object.keys(this.attributes).length;
      this.#attributeRoom = Math.max(room, 0) || -1;
    }
    if (this.#attributeRoom < 0) return Object.hasOwn(this.attributes, key);
    // One that replaces another takes no room, which is found when they are counted again.
    this.#attributeRoom--;
    return true;
  }

  #eventList(): Newest<TimedEvent> {
    return (this.#events ??= new Newest(this.#source.limits.eventCountLimit));
  }

  #linkList(): Newest<Link> {
    return (this.#links ??= new Newest(this.#source.limits.linkCountLimit));
  }

  #startTimeOf(input: TimeInput | undefined): HrTime {
    if (input !== undefined && input !== null) return this.#timeOf(input);
    const { clock } = this.#source;
    this.#startedAtMs = clock.monotonic();
    return hrTimeOf(clock.now());
  }

  /** Without an input, it is now. */
  #timeOf(input: TimeInput | undefined): HrTime {
    if (isHrTime(input)) return [input[0], input[1]];
    if (input instanceof Date) return hrTimeOf(input.getTime());
    const { clock } = this.#source;
    if (typeof input === 'number') return input <= clock.monotonic() ? this.#timeAt(input) : hrTimeOf(input);
    return this.#startedAtMs === undefined ? hrTimeOf(clock.now()) : this.#timeAt(clock.monotonic());
  }

  #timeAt(monotonicMs: number): HrTime {
    if (this.#startedAtMs !== undefined) return addMs(this.startTime, monotonicMs - this.#startedAtMs);
    this.#reading ??= readingOf(this.#source.clock);
    return addMs(this.#reading.time, monotonicMs - this.#reading.monotonicMs);
  }

  /** A span ends no earlier than it starts. */
  #checkEnd(): void {
    const [seconds] = durationBetween(this.startTime, this.endTime);
    if (seconds < 0) {
      diag.warn(`The span ${this.#id} ended before it started; its duration is set to 0.`);
      this.#endSeconds = this.#startSeconds;
      this.#endNanos = this.#startNanos;
    }
    const dropped = this.droppedEventsCount + this.droppedLinksCount;
    if (dropped > 0) diag.warn(`The span ${this.#id} had too many events or links: ${dropped} were dropped.`);
  }
}

// Not a method: its name would have no type under `isolatedDeclarations`.
Object.defineProperty(RecordedSpan.prototype, inspect.custom, { value: printSpan });
