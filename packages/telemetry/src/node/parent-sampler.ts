import { type Attributes, type Context, type Link, type SpanKind, TraceFlags } from '@opentelemetry/api';
import { type Sampler, SamplingDecision, type SamplingResult } from './traces-sdk.ts';
import { validSpanOf } from './valid-span.ts';

const SAMPLED: SamplingResult = { decision: SamplingDecision.RECORD_AND_SAMPLED };
const NOT_SAMPLED: SamplingResult = { decision: SamplingDecision.NOT_RECORD };

/** Decides as the parent was decided on, as the SDK's `ParentBasedSampler` does, but does not check the ids of our own spans. */
export class ParentSampler implements Sampler {
  readonly #root: Sampler;

  /** @param root - decides on spans without a parent */
  constructor(root: Sampler) {
    this.#root = root;
  }

  shouldSample(
    context: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    const parent = validSpanOf(context);
    if (parent === undefined) return this.#root.shouldSample(context, traceId, name, kind, attributes, links);
    return parent.traceFlags & TraceFlags.SAMPLED ? SAMPLED : NOT_SAMPLED;
  }

  toString(): string {
    return `ParentBased{root=${this.#root.toString()}}`;
  }
}
