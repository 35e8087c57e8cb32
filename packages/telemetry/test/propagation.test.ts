import { context, propagation, ROOT_CONTEXT, trace, TraceFlags } from '@opentelemetry/api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { continueTrace, formatTraceparent, injectTrace, parseTraceparent } from '../src/index.ts';
import { w3cPropagator } from '../src/node/propagator.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';
const valid = `00-${TRACE}-${SPAN}-01`;
const spanOf = (headers: Parameters<typeof continueTrace>[0]) =>
  trace.getSpanContext(continueTrace(headers, { trusted: true }).context);

describe('a getter that returns something else than text', () => {
  it.each([
    ['null', (value: string | null) => value],
    ['a number', () => 5],
    ['a Buffer', () => Buffer.from('a=1')],
    ['a list of something else', () => [null, 5]],
  ])('such as %s, does not make extract throw', (_name, convert) => {
    const carrier = new Headers({ traceparent: valid });
    const getter = {
      get: (from: Headers, name: string) =>
        (name === 'traceparent' ? from.get(name) : convert(from.get(name))) as string | undefined,
      keys: () => [],
    };
    const extracted = w3cPropagator(['traceparent', 'tracestate', 'baggage']).extract(ROOT_CONTEXT, carrier, getter);
    expect(trace.getSpanContext(extracted)).toMatchObject({ traceId: TRACE });
    expect(propagation.getBaggage(extracted)).toBeUndefined();
    const nothing = { get: () => convert(null) as string | undefined, keys: () => [] };
    const untouched = w3cPropagator(['traceparent', 'baggage']).extract(ROOT_CONTEXT, carrier, nothing);
    expect(trace.getSpanContext(untouched)).toBeUndefined();
  });
});

describe('the cases of the W3C trace-context conformance suite', () => {
  it.each([
    ['a valid header', valid, true],
    ['not sampled', `00-${TRACE}-${SPAN}-00`, true],
    ['unknown flags of version 00', `00-${TRACE}-${SPAN}-09`, true],
    ['a later version', `cc-${TRACE}-${SPAN}-01`, true],
    ['a later version with more', `cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`, true],
    ['a later version with a dot', `cc-${TRACE}-${SPAN}-01.what`, false],
    ['blanks around it', `  ${valid}\t`, true],
    ['version ff', `ff-${TRACE}-${SPAN}-01`, false],
    ['more after version 00', `${valid}-00`, false],
    ['a dot after version 00', `${valid}.00`, false],
    ['an illegal version', `.0-${TRACE}-${SPAN}-01`, false],
    ['a version too long', `000-${TRACE}-${SPAN}-01`, false],
    ['a version too short', `0-${TRACE}-${SPAN}-01`, false],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`, false],
    ['a trace id with illegal characters', `00-.${TRACE.slice(1)}-${SPAN}-01`, false],
    ['a trace id too long', `00-${TRACE}0-${SPAN}-01`, false],
    ['a trace id too short', `00-${TRACE.slice(1)}-${SPAN}-01`, false],
    ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`, false],
    ['a parent id too long', `00-${TRACE}-${SPAN}0-01`, false],
    ['illegal flags', `00-${TRACE}-${SPAN}-.0`, false],
    ['flags too long', `00-${TRACE}-${SPAN}-001`, false],
    ['upper case', valid.toUpperCase(), false],
    ['underscores', valid.replaceAll('-', '_'), false],
    ['nothing', '', false],
  ])('%s', (_name, header, accepted) => {
    expect(spanOf({ traceparent: header })?.traceId).toBe(accepted ? TRACE : undefined);
  });

  it('finds traceparent in any case, and ignores it if it occurs twice', () => {
    for (const name of ['traceparent', 'TraceParent', 'TRACEPARENT'])
      expect(spanOf({ [name]: valid })?.spanId).toBe(SPAN);
    expect(spanOf({ traceparent: [valid, valid] })).toBeUndefined();
    expect(spanOf({ traceparent: [valid] })?.spanId).toBe(SPAN);
    expect(spanOf(new Headers({ traceparent: valid }))?.spanId).toBe(SPAN);
    // `Headers` joins two values with a comma.
    expect(
      spanOf(
        new Headers([
          ['traceparent', valid],
          ['traceparent', valid],
        ]),
      ),
    ).toBeUndefined();
  });

  it.each([
    ['one member', 'foo=1', 'foo=1'],
    ['several headers', ['foo=1', 'bar=2'], 'foo=1,bar=2'],
    ['blanks between', 'foo=1 \t, \t bar=2', 'foo=1,bar=2'],
    ['empty members', 'foo=1,,bar=2', 'foo=1,bar=2'],
    ['an illegal key', 'foo =1', undefined],
    ['a key in upper case', 'FOO=1', undefined],
    ['a multi-tenant key', 'a@vendor=1', 'a@vendor=1'],
    ['a control character', 'foo=\u0001', undefined],
    ['far too long', `foo=${'1'.repeat(600)}`, undefined],
  ])('tracestate: %s', (_name, tracestate, expected) => {
    expect(spanOf({ traceparent: valid, tracestate })?.traceState?.serialize()).toBe(expected);
  });

  it('drops tracestate when traceparent is not valid', () => {
    expect(spanOf({ traceparent: 'x', tracestate: 'foo=1' })).toBeUndefined();
  });
});

describe('trust', () => {
  it('T30: does not continue the trace of an untrusted sender: links to its span and drops its baggage', () => {
    const { context: fresh, links } = continueTrace({ traceparent: valid, baggage: 'a=1' });
    expect(trace.getSpanContext(fresh)).toBeUndefined();
    expect(propagation.getBaggage(fresh)).toBeUndefined();
    expect(links).toMatchObject([{ context: { traceId: TRACE, spanId: SPAN } }]);
  });

  it('injects the same trace headers that were received, and baggage only with the option', () => {
    const { context: from } = continueTrace(
      { traceparent: valid, tracestate: 'foo=1', baggage: 'user=ada%20l;meta=1, plan=pro' },
      { trusted: true },
    );
    expect(injectTrace({}, { context: from })).toEqual({ traceparent: valid, tracestate: 'foo=1' });
    const headers = injectTrace(new Headers(), { context: from, baggage: true });
    expect(headers.get('baggage')).toBe('user=ada%20l,plan=pro');
    expect(injectTrace({})).toEqual({});
  });

  it('limits baggage to 64 members and 8,192 bytes when parsing and formatting', () => {
    const many = Array.from({ length: 200 }, (_, i) => `k${i}=v`).join(',');
    const read = (baggage: string) => propagation.getBaggage(continueTrace({ baggage }, { trusted: true }).context);
    expect(read(many)?.getAllEntries()).toHaveLength(64);
    expect(read(`a=${'x'.repeat(8_200)}`)).toBeUndefined();
    expect(
      read('=1,nothing,b="x",__proto__=1,c=%zz')
        ?.getAllEntries()
        .map(([key]) => key),
    ).toEqual(['__proto__', 'c']);
    const entries = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, { value: 'é'.repeat(200) }]));
    const from = propagation.setBaggage(ROOT_CONTEXT, propagation.createBaggage(entries));
    expect(
      injectTrace({} as Record<string, string>, { context: from, baggage: true })['baggage']!.length,
    ).toBeLessThanOrEqual(8_192);
  });
});

describe('arbitrary headers', () => {
  it('never throw, and only give valid ids', () => {
    // Includes halves of surrogate pairs. The unit `binary` of fast-check takes more than a second to create.
    const unit = fc.nat(0xffff).map((code) => String.fromCharCode(code));
    const text = fc.oneof(fc.string({ unit }), fc.constantFrom(valid, 'foo=1', 'a=b;c=d,e=f'));
    const header = fc.oneof(text, fc.array(text, { maxLength: 3 }), fc.constant(undefined));
    fc.assert(
      fc.property(header, header, header, (traceparent, tracestate, baggage) => {
        const { context: from } = continueTrace({ traceparent, tracestate, baggage } as never, { trusted: true });
        const sent = injectTrace({} as Record<string, string>, { context: from, baggage: true });
        for (const value of Object.values(sent)) expect(value).toMatch(/^[\x20-\x7e]*$/);
        if (sent['traceparent'] !== undefined) expect(parseTraceparent(sent['traceparent'])).toBeDefined();
      }),
    );
  });

  it('formatTraceparent is the inverse of parseTraceparent', () => {
    const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length - 1}}[1-9a-f]$`));
    fc.assert(
      fc.property(hex(32), hex(16), fc.integer({ min: 0, max: 255 }), (traceId, spanId, traceFlags) => {
        const span = { traceId, spanId, traceFlags, isRemote: true };
        expect(parseTraceparent(formatTraceparent(span))).toEqual(span);
      }),
    );
    expect(context.active()).toBe(ROOT_CONTEXT);
    expect(TraceFlags.SAMPLED).toBe(1);
  });
});
