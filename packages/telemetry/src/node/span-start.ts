import type { Clock } from '@macadam/core';
import type { Attributes, Link, SpanContext, SpanKind, TimeInput } from '@opentelemetry/api';
import type { Resource } from './resource.ts';
import type { SpanLimits } from './sdk-settings.ts';
import type { ReadableSpan, SpanProcessor } from './traces-sdk.ts';

/** What all spans of a tracer share. */
export interface SpanSource {
  readonly resource: Resource;
  readonly scope: ReadableSpan['instrumentationScope'];
  readonly limits: SpanLimits;
  readonly processor: SpanProcessor;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
}

/** What a span starts with. */
export interface SpanStart {
  readonly spanContext: SpanContext;
  readonly parent: SpanContext | undefined;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startTime: TimeInput | undefined;
  /** Clean, and the span's own from now on. */
  readonly attributes: Attributes;
  readonly droppedAttributes: number;
  /** With clean attributes. */
  readonly links: readonly Link[];
}
