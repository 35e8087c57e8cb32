/** The same steps through the SDK's tracer and ours: what samplers, processors and exporters see must be the same. */
import {
  type Attributes,
  createTraceState,
  INVALID_SPAN_CONTEXT,
  ROOT_CONTEXT,
  type Span,
  type TimeInput,
  trace,
} from '@opentelemetry/api';
import { JsonTraceSerializer } from '@opentelemetry/otlp-transformer';
import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { pair, type Recorded, REMOTE, StillClock } from './spans-and-sdk.ts';

afterEach(() => vi.restoreAllMocks());

const circular: Record<string, unknown> = { text: 'x' };
circular['self'] = circular;
const scalar = fc.oneof(
  fc.constantFrom('', 'x', 'longer than the limit', 'é'.repeat(9), 'abcd\u{1f600}'),
  fc.constantFrom(0, -0, 1, -1.5, 2 ** 53, NaN, Infinity),
  fc.boolean(),
);
const value = fc.oneof(
  { weight: 6, arbitrary: scalar },
  { weight: 2, arbitrary: fc.array(fc.oneof(scalar, fc.constantFrom(null, undefined)), { maxLength: 3 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(
      ...[undefined, null, 1n, new Date(0), new Map(), () => {}, Symbol.iterator, circular, [circular]],
      ...[
        { a: { b: 'longer than the limit', c: undefined } },
        [['longer than the limit'], { a: 1n }],
        Object.create(null),
      ],
      ...[new Uint8Array(3), Buffer.from('longer than the limit'), [new Uint8Array(9)], new (class {})(), [1, 'x']],
    ),
  },
);
const key = fc.constantFrom('', 'k', 'l', 'm', 'n', '1', 'http.request.method', 'constructor');
const attributes = fc.oneof(
  fc.dictionary(key, value, { maxKeys: 6 }),
  fc.dictionary(key, scalar, { maxKeys: 3 }),
  fc.constantFrom<never>(...([undefined, null, 'text', ['x']] as never[])),
);
const time = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.constantFrom<TimeInput>(1_800_000_000_500, 1_800_000_001_000.25, 0, 4_990.125, 5_100.5, 6_500),
  fc.constantFrom<TimeInput>(new Date(1_800_000_000_250), [1_800_000_000, 5], [1_799_999_999, 999_999_999]),
  fc.constantFrom<TimeInput>(...([null, [1], '5', [1, '2']] as never[])),
);
const link = fc.record({ context: fc.constantFrom(REMOTE, INVALID_SPAN_CONTEXT), attributes });
const exception = fc.constantFrom<never>(
  ...(['', 'text', {}, undefined, { code: 0, name: 'E' }, { code: 12, message: 'x', stack: 's' }] as never[]),
  ...([{ message: 'only a message' }, { name: 'OnlyAName' }, { stack: 'only a stack' }] as never[]),
);
const parents = ['none', 'remote', 'invalid', 'span'] as const;
const start = fc.record({
  do: fc.constant('start' as const),
  name: fc.constantFrom('sampled', 'recorded', 'dropped', 'with attributes'),
  scope: fc.constantFrom('a', 'b'),
  parent: fc.constantFrom(...parents),
  options: fc.option(
    fc.record(
      {
        kind: fc.constantFrom(0, 2),
        attributes,
        links: fc.array(link, { maxLength: 4 }),
        root: fc.boolean(),
        startTime: time,
      },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  ),
});
const status = fc.record(
  { code: fc.constantFrom(0, 1, 2), message: fc.constantFrom<never>(...(['why', undefined, null, 5] as never[])) },
  { requiredKeys: ['code'] },
);
const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: start },
    { weight: 5, arbitrary: fc.record({ do: fc.constant('setAttribute' as const), key, value }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('setAttributes' as const), attributes }) },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('addEvent' as const), first: fc.oneof(attributes, time), time }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('addLinks' as const), links: fc.array(link, { maxLength: 3 }) }),
    },
    fc.record({ do: fc.constant('recordException' as const), exception, time }),
    fc.record({ do: fc.constant('setStatus' as const), status }),
    fc.record({ do: fc.constant('updateName' as const), name: fc.constantFrom('renamed', '') }),
    { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.constantFrom(1, 1_500) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('end' as const), time }) },
  ),
  { maxLength: 40 },
);
type Step = (typeof steps extends fc.Arbitrary<(infer S)[]> ? S : never) | { do: 'advance'; ms: number };

const limits = fc.record({
  attributeCountLimit: fc.constantFrom(0, 2, 4, 128),
  attributeValueLengthLimit: fc.constantFrom(5, Infinity),
  eventCountLimit: fc.constantFrom(0, 1, 128),
  linkCountLimit: fc.constantFrom(0, 2, 128),
  attributePerEventCountLimit: fc.constantFrom(0, 1, 128),
  attributePerLinkCountLimit: fc.constantFrom(1, 128),
});

function sample(name: string) {
  if (name === 'dropped') return { decision: 0 };
  if (name === 'recorded') return { decision: 1, traceState: createTraceState('a=1') };
  if (name === 'with attributes') return { decision: 2, attributes: { k: 'longer than the limit', sampler: [1] } };
  return { decision: 2 };
}

/** Takes steps through one of the two. Steps after a start are those of its span, also when that has ended. */
class Run {
  #span: Span | undefined = undefined;
  readonly #recorded: Recorded;

  constructor(recorded: Recorded) {
    this.#recorded = recorded;
  }

  take(step: Step): void {
    if (step.do === 'start') {
      const { name, scope, parent, options } = step;
      const around = this.#around(parent);
      this.#span = this.#recorded.tracer(scope).startSpan(name, options as object, around);
    } else if (step.do !== 'advance' && this.#span !== undefined) this.#change(this.#span, step);
  }

  #around(parent: (typeof parents)[number]) {
    if (parent === 'span' && this.#span !== undefined) return trace.setSpan(ROOT_CONTEXT, this.#span);
    if (parent === 'remote')
      return trace.setSpanContext(ROOT_CONTEXT, { ...REMOTE, traceState: createTraceState('r=1') });
    return parent === 'invalid' ? trace.setSpanContext(ROOT_CONTEXT, INVALID_SPAN_CONTEXT) : ROOT_CONTEXT;
  }

  #change(span: Span, step: Exclude<Step, { do: 'start' | 'advance' }>): void {
    switch (step.do) {
      case 'setAttribute':
        return void span.setAttribute(step.key, step.value);
      case 'setAttributes':
        return void span.setAttributes(step.attributes);
      case 'addEvent':
        return void span.addEvent('event', step.first as Attributes, step.time);
      case 'addLinks':
        return void span.addLinks(step.links);
      case 'recordException':
        return span.recordException(step.exception, step.time);
      case 'setStatus':
        return void span.setStatus(step.status);
      case 'updateName':
        return void span.updateName(step.name);
      case 'end':
        return span.end(step.time);
    }
  }
}

function exported({ ended }: Recorded): unknown {
  return JSON.parse(new TextDecoder().decode(JsonTraceSerializer.serializeRequest(ended)));
}

it('records and exports spans as the SDK does, whatever is done with them', () => {
  fc.assert(
    fc.property(limits, steps, (limited, taken) => {
      const clock = new StillClock();
      const both = pair(clock, { limits: limited, sample });
      const runs = both.map((recorded) => new Run(recorded));
      for (const step of taken) {
        if (step.do === 'advance') clock.advance(step.ms);
        for (const run of runs) run.take(step);
      }
      const [ours, theirs] = both;
      expect(ours.sampled).toEqual(theirs.sampled);
      expect(ours.seen).toEqual(theirs.seen);
      expect(exported(ours)).toEqual(exported(theirs));
    }),
    { numRuns: 300 },
  );
});
