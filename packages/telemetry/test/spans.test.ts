/** Spans of `startTelemetry`: every row is taken through the SDK's tracer as well, and must give the same. */
import { inspect } from 'node:util';
import {
  context,
  createContextKey,
  createTraceState,
  diag,
  DiagLogLevel,
  isSpanContextValid,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanStatusCode,
  type TimeInput,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  InMemorySpanExporter,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ParentSampler } from '../src/node/parent-sampler.ts';
import { createContextManager } from '../src/node/context.ts';
import { startTelemetry } from '../src/node.ts';
import { pair, type PairOptions, REMOTE, snapshot, StillClock } from './spans-and-sdk.ts';

let clock: StillClock;
const warnings: string[] = [];
beforeEach(() => {
  clock = new StillClock();
  const warn = (message: string): void => void warnings.push(message);
  diag.setLogger({ warn, error: warn, info() {}, debug() {}, verbose() {} }, DiagLogLevel.WARN);
});
afterEach(() => {
  warnings.length = 0;
  diag.disable();
  context.disable();
  vi.restoreAllMocks();
});

/** What the last span that `act` ends is exported as, which is the same by the SDK. */
function spanOf(act: (tracer: Tracer) => void, options?: PairOptions): ReadableSpan {
  const [ours, theirs] = pair(clock, options);
  for (const { tracer } of [theirs, ours]) {
    warnings.length = 0;
    act(tracer());
  }
  expect(ours.seen).toEqual(theirs.seen);
  expect(ours.sampled).toEqual(theirs.sampled);
  return ours.ended.at(-1)!;
}

/** The same for a span that is changed by `change` and then ended. */
function changed(change: (span: Span) => void, limits: PairOptions['limits'] = {}): ReadableSpan {
  const act = (tracer: Tracer): void => {
    const span = tracer.startSpan('a', { attributes: { first: 1 } });
    change(span);
    span.end();
  };
  // Set by the processor as the last one.
  return spanOf(act, { limits });
}

describe('attributes', () => {
  it.each<[string, unknown, unknown]>([
    ['a text', 'x', 'x'],
    ['a text that is too long', 'a long text', 'a lon'],
    ['a list with texts that are too long', ['a long text', 1], ['a lon', 1]],
    ['an object with texts that are too long', { a: ['a long text'], b: undefined }, { a: ['a lon'] }],
    ['bytes', new Uint8Array(9), new Uint8Array(5)],
    ['null', null, null],
    ['a list with gaps', [undefined, 1], [undefined, 1]],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ])('takes %s', (_, value, expected) => {
    const limits = { attributeValueLengthLimit: 5 };
    expect(changed((span) => span.setAttribute('k', value), limits).attributes['k']).toEqual(expected);
    const atStart = (tracer: Tracer): void => tracer.startSpan('a', { attributes: { k: value } }).end();
    expect(spanOf(atStart, { limits }).attributes['k']).toEqual(expected);
    expect(warnings).toEqual([]);
  });

  const circular: unknown[] = [];
  circular.push({ circular });
  it.each<[string, string, unknown]>([
    ['a bigint', 'k', 1n],
    ['a function', 'k', () => {}],
    ['a symbol', 'k', Symbol.iterator],
    ['a date', 'k', new Date(0)],
    ['what contains itself', 'k', circular],
    ['a value inside that has no representation', 'k', { a: [1n] }],
    ['no name', '', 1],
  ])('drops %s with a warning, and counts it at the start', (_, key, value) => {
    const later = changed((span) => span.setAttribute(key, value));
    expect(later).toMatchObject({ attributes: { first: 1 }, droppedAttributesCount: 0 });
    expect(warnings).toHaveLength(1);
    const atStart = spanOf((tracer) => tracer.startSpan('a', { attributes: { [key]: value, kept: 1 } }).end());
    expect(atStart).toMatchObject({ attributes: { kept: 1 }, droppedAttributesCount: 1 });
    expect(warnings).toHaveLength(1);
  });

  it('ignores undefined values', () => {
    const { attributes, droppedAttributesCount } = changed((span) => span.setAttributes({ k: undefined }));
    expect([Object.keys(attributes), droppedAttributesCount]).toEqual([['first', 'ending'], 0]);
  });

  it('replaces the value of a name when it is full, and counts new names as dropped with one warning', () => {
    const { attributes, droppedAttributesCount } = changed(
      (span) => span.setAttributes({ k: 1, first: 2, l: 3, m: 4 }).setAttribute('k', 5),
      { attributeCountLimit: 2 },
    );
    // One more is that of the processor.
    expect([attributes, droppedAttributesCount]).toEqual([{ first: 2, k: 5 }, 3]);
    expect(warnings).toHaveLength(1);
  });

  it('finds room again that was counted for replaced values', () => {
    const change = (span: Span): void => {
      for (let i = 0; i < 10; i++) span.setAttribute('first', i);
      span.setAttributes({ k: 1, l: 2 });
    };
    expect(changed(change, { attributeCountLimit: 4 }).attributes).toEqual({ first: 9, k: 1, l: 2, ending: true });
  });

  it('keeps nothing that the caller can change', () => {
    const given = { list: ['a'], bytes: Buffer.from('a'), deep: { a: { b: 1 } } };
    const time: TimeInput = [1_800_000_000, 1];
    const [{ tracer, ended }] = pair(clock);
    const span = tracer().startSpan('a', {
      attributes: given,
      links: [{ context: REMOTE, attributes: given }],
      startTime: time,
    });
    span.setAttribute('set', given.list).addEvent('event', { list: given.list }, time);
    given.list[0] = 'changed';
    given.bytes[0] = 0;
    given.deep.a.b = 2;
    time[1] = 2;
    span.end(time);
    time[1] = 3;
    const { attributes, links, events, startTime, endTime } = ended[0]!;
    const expected = { list: ['a'], bytes: Buffer.from('a'), deep: { a: { b: 1 } } };
    expect(attributes).toEqual({ ...expected, set: ['a'], ending: true });
    expect([links[0]!.attributes, events[0]!.attributes]).toEqual([expected, { list: ['a'] }]);
    expect([startTime[1], events[0]!.time[1], endTime[1]]).toEqual([1, 1, 2]);
  });
});

describe('events, links and status', () => {
  it.each<[string, Parameters<Span['addEvent']>, object]>([
    ['only a name', ['e'], { name: 'e', time: [1_800_000_000, 0] }],
    ['a time', ['e', 1_800_000_000_500], { name: 'e', time: [1_800_000_000, 500_000_000] }],
    ['attributes', ['e', { k: 1 }], { name: 'e', attributes: { k: 1 } }],
    ['attributes and a time', ['e', { k: 1 }, [1, 2]], { name: 'e', time: [1, 2], attributes: { k: 1 } }],
    ['two times', ['e', [3, 4], [1, 2]], { name: 'e', time: [1, 2] }],
    ['nested attributes', ['e', { k: { l: 1 } }], { name: 'e', attributes: {}, droppedAttributesCount: 1 }],
    ['a mixed list', ['e', { k: [1, 'x'] }], { name: 'e', attributes: {}, droppedAttributesCount: 1 }],
  ])('addEvent takes %s', (_, args, expected) => {
    expect(changed((span) => span.addEvent(...args)).events).toMatchObject([expected]);
  });

  it('keeps the newest events and links, within the limits of each, and warns about the others at the end', () => {
    const span = changed(
      (one) => {
        for (const name of ['e1', 'e2', 'e3']) one.addEvent(name, { k: 1, l: 2 });
        one.addLinks(
          ['1', '2', '3'].map((id) => ({ context: { ...REMOTE, spanId: id.repeat(16) }, attributes: { k: 1, l: 2 } })),
        );
      },
      { eventCountLimit: 2, linkCountLimit: 1, attributePerEventCountLimit: 1, attributePerLinkCountLimit: 0 },
    );
    expect(span.events.map(({ name, attributes }) => [name, attributes])).toEqual([
      ['e2', { k: 1 }],
      ['e3', { k: 1 }],
    ]);
    expect(span.links).toMatchObject([
      { context: { spanId: '3'.repeat(16) }, attributes: {}, droppedAttributesCount: 2 },
    ]);
    expect([span.droppedEventsCount, span.droppedLinksCount]).toEqual([1, 2]);
    expect(warnings).toEqual([expect.stringContaining('3 were dropped')]);
  });

  it.each<[string, (span: Span) => void, object]>([
    ['an error', (span) => span.setStatus({ code: SpanStatusCode.ERROR, message: 'why' }), { code: 2, message: 'why' }],
    ['no message but of an error', (span) => span.setStatus({ code: SpanStatusCode.OK, message: 'why' }), { code: 1 }],
    ['the last error', (span) => span.setStatus({ code: 2, message: 'a' }).setStatus({ code: 2 }), { code: 2 }],
    ['OK for good', (span) => span.setStatus({ code: SpanStatusCode.OK }).setStatus({ code: 2 }), { code: 1 }],
    ['nothing less', (span) => span.setStatus({ code: 2 }).setStatus({ code: SpanStatusCode.UNSET }), { code: 2 }],
    ['no status if none was set', () => {}, { code: 0 }],
    ['no message that is no text', (span) => span.setStatus({ code: 2, message: 5 as never }), { code: 2 }],
  ])('setStatus leaves %s', (_, change, expected) => {
    expect(changed(change).status).toEqual(expected);
  });

  it.each<[string, unknown, object | undefined]>([
    ['a text', 'gone', { 'exception.message': 'gone' }],
    [
      'an error',
      { name: 'E', message: 'm', stack: 's' },
      { 'exception.type': 'E', 'exception.message': 'm', 'exception.stacktrace': 's' },
    ],
    ['a code before a name', { name: 'E', code: 5 }, { 'exception.type': '5' }],
    ['nothing', undefined, undefined],
    ['only a stack', { stack: 's' }, undefined],
  ])('recordException records %s', (_, exception, attributes) => {
    const { events } = changed((span) => span.recordException(exception as Error));
    expect(events.map((event) => event.attributes)).toEqual(attributes === undefined ? [] : [attributes]);
    expect(warnings).toHaveLength(attributes === undefined ? 1 : 0);
  });
});

describe('times', () => {
  it.each<[string, TimeInput | undefined, [number, number]]>([
    ['epoch milliseconds', 1_800_000_000_500, [1_800_000_000, 500_000_000]],
    ['epoch milliseconds with a fraction', 1_800_000_000_000.25, [1_800_000_000, 250_000]],
    ['a value of the monotonic clock, which is at 5,000.125', 4_999.125, [1_799_999_999, 999_000_000]],
    ['a date', new Date(1_800_000_000_250), [1_800_000_000, 250_000_000]],
    ['seconds and nanoseconds', [1_800_000_000, 7], [1_800_000_000, 7]],
    ['nothing, which is now', undefined, [1_800_000_000, 0]],
    ['what is no time, which is now', 'x' as never, [1_800_000_000, 0]],
  ])('startSpan takes %s', (_, startTime, expected) => {
    expect(spanOf((tracer) => tracer.startSpan('a', { startTime: startTime! }).end()).startTime).toEqual(expected);
  });

  it.each<[string, TimeInput | undefined, TimeInput | undefined, [number, number]]>([
    ['the clock passes', undefined, undefined, [2, 500_000_000]],
    ['the clock passes since a start that was given', 1_799_999_999_000, undefined, [3, 500_000_000]],
    ['two values of the monotonic clock say', 4_000.125, 4_000.25, [0, 125_000]],
    ['is given', [5, 999_999_999], [7, 1], [1, 2]],
    ['can be: not below 0', [7, 1], [6, 999_999_999], [0, 0]],
  ])('lasts as long as %s', (_, startTime, endTime, expected) => {
    const act = (tracer: Tracer): void => {
      const span = tracer.startSpan('a', { startTime: startTime! });
      clock.advance(2_500);
      span.end(endTime);
      clock.advance(-2_500);
    };
    const { duration } = spanOf(act);
    expect(duration).toEqual(expected);
    expect(warnings).toHaveLength(duration[0] === 0 && duration[1] === 0 ? 1 : 0);
  });

  it('is measured by the monotonic clock when the other one is set back', () => {
    const act = (tracer: Tracer): void => {
      const span = tracer.startSpan('a');
      clock.nowMs -= 60_000;
      clock.monotonicMs += 5;
      span.end();
      clock.nowMs += 60_000;
      clock.monotonicMs -= 5;
    };
    expect(spanOf(act).duration).toEqual([0, 5_000_000]);
  });
});

describe('a span', () => {
  it('cannot be changed or ended again, which is logged', () => {
    const [{ tracer, ended }] = pair(clock);
    const span = tracer().startSpan('a');
    expect(span.isRecording()).toBe(true);
    span.end();
    const before = snapshot(ended[0]!);
    expect(span.isRecording()).toBe(false);
    span.setAttribute('k', 1).setAttributes({ k: 1 }).addEvent('e').addLink({ context: REMOTE }).updateName('b');
    span
      .setStatus({ code: 2 })
      .addLinks([{ context: REMOTE }])
      .recordException('x');
    span.end();
    expect(ended.map(snapshot)).toEqual([before]);
    expect(warnings).toHaveLength(9);
    for (const message of warnings) expect(message).toContain(span.spanContext().spanId);
  });

  it.each(['none', 'a remote one', 'an invalid one', 'one of ours', 'one, but it is to be a root'])(
    'has as its parent %s',
    (which) => {
      const act = (tracer: Tracer): void => {
        const outer = tracer.startSpan('outer');
        const remote = { ...REMOTE, traceState: createTraceState('a=1') };
        const around = {
          none: ROOT_CONTEXT,
          'a remote one': trace.setSpanContext(ROOT_CONTEXT, remote),
          'an invalid one': trace.setSpanContext(ROOT_CONTEXT, { ...remote, traceId: 'no' }),
        }[which];
        const root = which.endsWith('root');
        tracer.startSpan('a', { root }, around ?? trace.setSpan(ROOT_CONTEXT, outer)).end();
      };
      const span = spanOf(act);
      const hasParent = which === 'a remote one' || which === 'one of ours';
      expect(span.parentSpanContext !== undefined).toBe(hasParent);
      expect(span.spanContext().traceState?.serialize()).toBe(which === 'a remote one' ? 'a=1' : undefined);
    },
  );

  it('is not made where tracing is suppressed', () => {
    const [{ tracer, sampled }] = pair(clock);
    const key = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
    const span = tracer().startSpan('a', {}, ROOT_CONTEXT.setValue(key, true));
    expect([span.isRecording(), isSpanContextValid(span.spanContext()), sampled]).toEqual([false, false, []]);
  });

  it.each([
    ['drops', 0, false, 0],
    ['records', 1, true, 0],
    ['samples', 2, true, 1],
  ])('a sampler that %s is asked once and obeyed', (_, decision, isRecording, traceFlags) => {
    const traceState = createTraceState('s=1');
    const sample = () => ({ decision, traceState, attributes: { sampler: ['a long text'], given: 2 } });
    const limits = { attributeValueLengthLimit: 5, attributeCountLimit: 2 };
    const attributes = { given: 'a long text', second: 1, third: 1n };
    for (const { tracer, sampled } of pair(clock, { sample, limits })) {
      const span = tracer().startSpan('a', { attributes, kind: 2 });
      expect(span.isRecording()).toBe(isRecording);
      expect(span.spanContext()).toMatchObject({ traceFlags, traceState });
      expect(sampled).toMatchObject([
        {
          spanName: 'a',
          kind: 2,
          attributes: [
            ['given', 'a long text'],
            ['second', 1],
          ],
        },
      ]);
      if (isRecording) expect(span).toMatchObject({ attributes: { given: 2, second: 1 }, droppedAttributesCount: 2 });
    }
  });
});

describe('a tracer', () => {
  it('does nothing when no function is given, like the SDK', () => {
    for (const { tracer, seen } of pair(clock)) {
      const startActiveSpan = tracer().startActiveSpan as (name: string) => unknown;
      expect(startActiveSpan.call(tracer(), 'a')).toBeUndefined();
      expect(seen).toEqual([]);
    }
  });

  it('runs a function in the context of a new span, in each of its forms', () => {
    context.setGlobalContextManager(createContextManager());
    const [{ tracer, ended }] = pair(clock);
    const around = trace.setSpanContext(ROOT_CONTEXT, REMOTE);
    const active = (span: Span): boolean => {
      span.end();
      return trace.getActiveSpan() === span;
    };
    expect(tracer().startActiveSpan('a', active)).toBe(true);
    expect(tracer().startActiveSpan('b', { kind: 3 }, active)).toBe(true);
    expect(tracer().startActiveSpan('c', { kind: 4 }, around, active)).toBe(true);
    const seen = ended.map(({ name, kind, parentSpanContext }) => [name, kind, parentSpanContext?.spanId]);
    expect(seen).toEqual([
      ['a', 0, undefined],
      ['b', 3, undefined],
      ['c', 4, REMOTE.spanId],
    ]);
  });

  it('is one for each name, version and schema', () => {
    const [{ provider }] = pair(clock);
    const tracer = provider.getTracer('a', '1', { schemaUrl: 'https://x.test' });
    expect(provider.getTracer('a', '1', { schemaUrl: 'https://x.test' })).toBe(tracer);
    const others = [provider.getTracer('a', '1'), provider.getTracer('a'), provider.getTracer('b', '1')];
    expect(new Set([tracer, ...others]).size).toBe(4);
    expect(tracer.startSpan('a')).toMatchObject({
      instrumentationScope: { name: 'a', version: '1', schemaUrl: 'https://x.test' },
    });
  });

  it('and its spans are printed with what they hold', () => {
    const [{ tracer }, theirs] = pair(clock);
    const print = (one: Tracer): string => inspect(one.startSpan('a', { attributes: { k: 1 } }), { depth: 5 });
    expect(print(tracer())).toBe(print(theirs.tracer()).replace(/^SpanImpl/, 'Span'));
    expect(inspect(tracer())).toContain("instrumentationScope: { name: 'a', version: '1'");
    expect(inspect({ a: { b: { c: tracer().startSpan('a') } } }, { depth: 1 })).not.toContain('attributes');
  });
});

describe('startTelemetry', () => {
  it('records spans, sends them at its end and none that end later', async () => {
    const exporter = new InMemorySpanExporter();
    const sent: string[] = [];
    vi.spyOn(exporter, 'export').mockImplementation((spans, done) => {
      sent.push(...spans.map(({ name }) => name));
      done({ code: 0 });
    });
    const telemetry = startTelemetry({
      serviceName: 'orders',
      env: {},
      traces: { exporter },
      metrics: false,
      logs: false,
    });
    const tracer = trace.getTracer('a');
    tracer.startSpan('flushed').end();
    await telemetry.flush();
    expect(sent).toEqual(['flushed']);
    const late = tracer.startSpan('late');
    tracer.startSpan('shut down').end();
    await telemetry.shutdown();
    late.end();
    tracer.startSpan('after').end();
    expect(sent).toEqual(['flushed', 'shut down']);
  });

  it('gives each span ids of its own, which are valid', async () => {
    const exporter = new InMemorySpanExporter();
    const telemetry = startTelemetry({
      serviceName: 'orders',
      env: {},
      traces: { exporter },
      metrics: false,
      logs: false,
    });
    const contexts = Array.from({ length: 1_000 }, () => trace.getTracer('a').startSpan('a').spanContext());
    expect(contexts.every(isSpanContextValid)).toBe(true);
    expect(new Set(contexts.flatMap(({ traceId, spanId }) => [traceId, spanId])).size).toBe(2_000);
    await telemetry.shutdown();
  });
});

describe('the parent sampler', () => {
  const remote = (traceFlags: number): SpanContext => ({ ...REMOTE, traceFlags });
  it.each<[string, SpanContext | undefined]>([
    ['no parent', undefined],
    ['a sampled parent elsewhere', remote(1)],
    ['a parent elsewhere that is not sampled', remote(0)],
    ['a sampled parent here', { ...remote(1), isRemote: false }],
    ['a parent here that is not sampled', { ...remote(2), isRemote: false }],
    ['a parent without valid ids', { ...remote(1), spanId: 'no' }],
  ])('decides as the SDK for %s', (_, parent) => {
    const around = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
    for (const root of [new AlwaysOnSampler(), new AlwaysOffSampler()]) {
      const theirs = new ParentBasedSampler({ root });
      const decide = (sampler: Sampler) => sampler.shouldSample(around, REMOTE.traceId, 'a', 0, {}, []).decision;
      expect(decide(new ParentSampler(root))).toBe(decide(theirs));
    }
  });
});
