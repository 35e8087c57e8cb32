import type { Clock } from '@macadam/core';
import type { Tracer } from '@opentelemetry/api';
import { RandomIds } from './random-ids.ts';
import type { Resource } from './resource.ts';
import type { SpanLimits } from './sdk-settings.ts';
import type { SpanSource } from './span-start.ts';
import { RecordingTracer } from './tracer.ts';
import { type IdGenerator, type Sampler, type SpanProcessor, TracerProvider } from './traces-sdk.ts';

export interface TracerSettings {
  readonly resource: Resource;
  readonly sampler: Sampler;
  readonly spanLimits: SpanLimits;
  readonly processor: SpanProcessor;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** Default: random ids. */
  readonly ids?: IdGenerator;
}

/** The SDK's provider of tracers, except that spans are recorded here. */
export class RecordingTracerProvider extends TracerProvider {
  readonly #settings: TracerSettings;
  readonly #ids: IdGenerator;
  /** By the tracer of the SDK, which has one for each name, version and schema. */
  readonly #tracers = new WeakMap<Tracer, RecordingTracer>();

  constructor(settings: TracerSettings) {
    const { resource, sampler, spanLimits, processor } = settings;
    super({ resource, sampler, spanLimits, spanProcessors: [processor] });
    this.#settings = settings;
    this.#ids = settings.ids ?? new RandomIds();
  }

  override getTracer(name: string, version?: string, options?: { schemaUrl?: string }): Tracer {
    const theirs = super.getTracer(name, version, options);
    const known = this.#tracers.get(theirs);
    if (known !== undefined) return known;
    const { resource, sampler, spanLimits: limits, processor, clock } = this.#settings;
    const scope = { name, version, schemaUrl: options?.schemaUrl } as SpanSource['scope'];
    const tracer = new RecordingTracer({ resource, scope, limits, processor, clock }, sampler, this.#ids);
    this.#tracers.set(theirs, tracer);
    return tracer;
  }
}
