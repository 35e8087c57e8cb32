// Settings of the SDK by environment variables, with the defaults of the specification. Exporters: otlp-target.ts.
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
import { OptionsError } from '@macadam/core';
import { choiceFrom, countFrom, durationFrom, type Environment, textFrom, timeoutFrom } from './environment.ts';

/** Which traces are recorded. */
export interface Sampling {
  readonly ratio: number;
  /** Whether the decision of a parent span takes precedence over the ratio. */
  readonly parentFirst: boolean;
}

const SAMPLERS = [
  ...(['always_on', 'always_off', 'traceidratio'] as const),
  ...(['parentbased_always_on', 'parentbased_always_off', 'parentbased_traceidratio'] as const),
] as const;

/** By `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`; undefined when not set. */
export function samplingFrom(env: Environment): Sampling | undefined {
  const sampler = choiceFrom(env, 'OTEL_TRACES_SAMPLER', SAMPLERS);
  if (sampler === undefined) return undefined;
  const parentFirst = sampler.startsWith('parentbased_');
  if (!sampler.endsWith('traceidratio')) return { ratio: sampler.endsWith('on') ? 1 : 0, parentFirst };
  const text = textFrom(env, 'OTEL_TRACES_SAMPLER_ARG') ?? '1';
  const ratio = Number(text);
  if (!(ratio >= 0 && ratio <= 1)) throw new OptionsError('OTEL_TRACES_SAMPLER_ARG', text, 'a number from 0 to 1');
  return { ratio, parentFirst };
}

/** How spans or log records are batched for export. */
export interface Batching {
  readonly scheduledDelayMillis: number;
  readonly exportTimeoutMillis: number;
  readonly maxQueueSize: number;
  readonly maxExportBatchSize: number;
}

/** By `OTEL_BSP_…`, for spans, or `OTEL_BLRP_…`, for log records. */
export function batchingFrom(processor: 'BSP' | 'BLRP', env: Environment): Batching {
  const name = (what: string): string => `OTEL_${processor}_${what}`;
  const maxQueueSize = countFrom(env, name('MAX_QUEUE_SIZE'), 1) ?? 2_048;
  const batch = countFrom(env, name('MAX_EXPORT_BATCH_SIZE'), 1);
  if (batch !== undefined && batch > maxQueueSize)
    throw new OptionsError(
      name('MAX_EXPORT_BATCH_SIZE'),
      batch,
      `at most ${maxQueueSize}, which is the size of the queue`,
    );
  return {
    scheduledDelayMillis:
      durationFrom(env, name('SCHEDULE_DELAY'), { min: 0 }) ?? (processor === 'BSP' ? 5_000 : 1_000),
    exportTimeoutMillis: timeoutFrom(env, name('EXPORT_TIMEOUT')) ?? 30_000,
    maxQueueSize,
    maxExportBatchSize: batch ?? Math.min(512, maxQueueSize),
  };
}

/** Limits of attributes. Variables for one kind (`OTEL_SPAN_…`) win over those for all. */
export interface AttributeLimits {
  readonly attributeCountLimit: number;
  readonly attributeValueLengthLimit: number;
}

export function attributeLimitsFrom(kind: 'SPAN' | 'LOGRECORD', env: Environment, maxLength: number): AttributeLimits {
  const of = (what: string, min: number): number | undefined =>
    countFrom(env, `OTEL_${kind}_ATTRIBUTE_${what}`, min) ?? countFrom(env, `OTEL_ATTRIBUTE_${what}`, min);
  return {
    attributeCountLimit: of('COUNT_LIMIT', 0) ?? 128,
    attributeValueLengthLimit: of('VALUE_LENGTH_LIMIT', 1) ?? maxLength,
  };
}

/** Limits of a span, its events and its links. */
export interface SpanLimits extends AttributeLimits {
  readonly eventCountLimit: number;
  readonly linkCountLimit: number;
  readonly attributePerEventCountLimit: number;
  readonly attributePerLinkCountLimit: number;
}

export function spanLimitsFrom(env: Environment, maxLength: number): SpanLimits {
  const count = (what: string): number => countFrom(env, `OTEL_${what}_COUNT_LIMIT`, 0) ?? 128;
  return {
    ...attributeLimitsFrom('SPAN', env, maxLength),
    eventCountLimit: count('SPAN_EVENT'),
    linkCountLimit: count('SPAN_LINK'),
    attributePerEventCountLimit: count('EVENT_ATTRIBUTE'),
    attributePerLinkCountLimit: count('LINK_ATTRIBUTE'),
  };
}

const PROPAGATORS: ReadonlyMap<string, readonly string[]> = new Map([
  ['tracecontext', ['traceparent', 'tracestate']],
  ['baggage', ['baggage']],
  ['none', []],
]);

/** The global propagator, by `OTEL_PROPAGATORS`. */
export interface Propagation {
  /** The headers that it reads and writes. */
  readonly fields: readonly string[];
  /** Propagators that are not supported. Operators set the list for all services, so the start does not fail because of one. */
  readonly unknown: readonly string[];
}

export function propagationFrom(env: Environment): Propagation {
  const names = textFrom(env, 'OTEL_PROPAGATORS')?.toLowerCase().split(',') ?? ['tracecontext', 'baggage'];
  const given = names.map((name) => name.trim()).filter((name) => name !== '');
  const fields = new Set(given.flatMap((name) => PROPAGATORS.get(name) ?? []));
  return { fields: [...fields], unknown: given.filter((name) => !PROPAGATORS.has(name)) };
}
