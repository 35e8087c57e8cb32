/**
 * What the conformance suite of W3C Trace Context asks of a service (level 2, strict), over real sockets: a request comes
 * in, and its trace is looked for in the headers of the calls that the service makes.
 */
import { createServer, request as httpRequest, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { context } from '@opentelemetry/api';
import { InMemorySpanExporter } from '@opentelemetry/sdk-trace';
import { createHttpClient } from '@macadam/http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { continueTrace, parseTraceparent, withSpan } from '../src/index.ts';
import { startTelemetry } from '../src/node.ts';

const TRACE = '12345678901234567890123456789012';
const PARENT = '1234567890123456';
const VALID = `00-${TRACE}-${PARENT}-01`;

const called: { traceparent: string | undefined; tracestate: string | undefined }[] = [];
const servers: Server[] = [];
async function listen(server: Server): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let service = '';
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  const telemetry = startTelemetry({
    serviceName: 'conformance',
    env: {},
    traces: { exporter: new InMemorySpanExporter() },
  });
  const harness = await listen(
    createServer(({ headers }, response) => {
      called.push({ traceparent: one(headers['traceparent']), tracestate: one(headers['tracestate']) });
      response.end('{}');
    }),
  );
  const client = createHttpClient({ name: 'harness', baseUrl: harness, peer: 'internal' });
  service = await listen(
    createServer(({ headers, url }, response) => {
      const { context: caller } = continueTrace(headers, { trusted: true });
      const work = withSpanIn(caller, async () => {
        for (let calls = Number(url?.slice(1)); calls > 0; calls--) await client.get('/');
      });
      work.then(
        () => response.end(),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    }),
  );
  closing.push(
    () => client.close(),
    () => telemetry.shutdown(),
  );
});
afterAll(async () => {
  for (const server of servers) server.close().closeAllConnections();
  for (const close of closing) await close();
});

const withSpanIn = (caller: Parameters<typeof context.with>[0], fn: () => Promise<void>): Promise<void> =>
  context.with(caller, () => withSpan('GET /', fn));
const one = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value.join() : value);

/** Sends the headers as they are, and gives what the calls of the service carried. */
async function answerTo(headers: readonly (readonly [string, string])[], calls = 1): Promise<typeof called> {
  called.length = 0;
  await new Promise<void>((resolve, reject) => {
    const sent = httpRequest(`${service}/${calls}`, (response) => {
      response.resume().once('end', () => (response.statusCode === 200 ? resolve() : reject(new Error('failed'))));
    }).once('error', reject);
    const byName = new Map<string, string[]>();
    for (const [name, value] of headers) byName.set(name, [...(byName.get(name) ?? []), value]);
    for (const [name, values] of byName) sent.setHeader(name, values);
    sent.end();
  });
  expect(called).toHaveLength(calls);
  for (const { traceparent = '' } of called) expect(parseTraceparent(traceparent)).toBeDefined();
  return [...called];
}

/** The trace that the call of the service was part of, and its state. */
async function traceOf(
  ...headers: (readonly [string, string])[]
): Promise<{ traceId: string; state: string | undefined }> {
  const [{ traceparent = '', tracestate } = called[0]!] = await answerTo(headers);
  const { traceId, spanId } = parseTraceparent(traceparent)!;
  expect(spanId).not.toBe(PARENT);
  return { traceId, state: tracestate };
}

describe('traceparent', () => {
  it.each([
    ['alone', VALID],
    ['of a later version', `cc-${TRACE}-${PARENT}-01`],
    ['of a later version with more', `cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`],
    ['with blanks around it', ` \t${VALID} \t`],
  ])('%s is continued', async (_name, header) => {
    expect((await traceOf(['traceparent', header])).traceId).toBe(TRACE);
  });

  it.each(['TraceParent', 'TrAcEpArEnT', 'TRACEPARENT'])('is found as %s', async (name) => {
    expect((await traceOf([name, VALID])).traceId).toBe(TRACE);
  });

  it.each([
    ['is missing', []],
    [
      'occurs twice',
      [
        ['traceparent', VALID.replace('12-', '11-')],
        ['traceparent', VALID],
      ],
    ],
    ['has a similar name', [['trace-parent', VALID]]],
    ['has another similar name', [['trace.parent', VALID]]],
    ...[
      ...[`${VALID}.`, `${VALID}-what-the-future-will-be-like`, `cc-${TRACE}-${PARENT}-01.what-the-future`],
      ...[`ff-${TRACE}-${PARENT}-01`, `.0-${TRACE}-${PARENT}-01`, `0.-${TRACE}-${PARENT}-01`],
      ...[`000-${TRACE}-${PARENT}-01`, `0000-${TRACE}-${PARENT}-01`, `0-${TRACE}-${PARENT}-01`],
      ...[
        `00-${'0'.repeat(32)}-${PARENT}-01`,
        `00-.${TRACE.slice(1)}-${PARENT}-01`,
        `00-${TRACE.slice(1)}.-${PARENT}-01`,
      ],
      ...[`00-${TRACE}3-${PARENT}-01`, `00-${TRACE.slice(1)}-${PARENT}-01`, `00-${TRACE}-${'0'.repeat(16)}-01`],
      ...[`00-${TRACE}-.${PARENT.slice(1)}-01`, `00-${TRACE}-${PARENT.slice(1)}.-01`, `00-${TRACE}-${PARENT}7-01`],
      ...[`00-${TRACE}-${PARENT.slice(1)}-01`, `00-${TRACE}-${PARENT}-.0`, `00-${TRACE}-${PARENT}-0.`],
      ...[`00-${TRACE}-${PARENT}-001`, `00-${TRACE}-${PARENT}-1`],
    ].map((header) => [`is ${header}`, [['traceparent', header]]] as const),
  ] as const)('a new trace begins when it %s', async (_name, headers) => {
    const { traceId } = await traceOf(...(headers as readonly (readonly [string, string])[]));
    expect([TRACE, TRACE.replace(/12$/, '11'), TRACE.slice(1), '0'.repeat(32)]).not.toContain(traceId);
  });

  it.each([
    ['that is valid', [['traceparent', VALID]], true],
    ['that is missing', [], false],
    ['that is invalid', [['traceparent', VALID.replace(TRACE, '0'.repeat(32))]], false],
  ] as const)('three calls of one request with one %s have spans of their own', async (_name, headers, continued) => {
    const spans = (await answerTo(headers, 3)).map(({ traceparent = '' }) => parseTraceparent(traceparent)!);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(3);
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1);
    expect(spans[0]!.traceId === TRACE).toBe(continued);
  });
});

describe('tracestate', () => {
  const unsampled = ['traceparent', VALID.replace(/1$/, '0')] as const;
  const state = async (...values: string[]): Promise<string | undefined> => {
    const found = await traceOf(unsampled, ...values.map((value) => ['tracestate', value] as const));
    expect(found.traceId).toBe(TRACE);
    return found.state;
  };
  const bars = (from: number, to: number): string =>
    Array.from({ length: to - from + 1 }, (_, i) => `bar${String(from + i).padStart(2, '0')}=${from + i}`).join(',');
  const key = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/';
  const printable = (from: number, to: number): string =>
    String.fromCharCode(...Array.from({ length: to - from + 1 }, (_, i) => from + i));
  const value = printable(0x20, 0x2b) + printable(0x2d, 0x3c) + printable(0x3e, 0x7e);

  it('without traceparent is dropped', async () => {
    expect((await traceOf(['tracestate', 'foo=1,bar=2'])).state).toBeUndefined();
  });

  it.each(['TraceState', 'TrAcEsTaTe', 'TRACESTATE'])('is found as %s', async (name) => {
    expect((await traceOf(unsampled, [name, 'foo=1'])).state).toBe('foo=1');
  });

  it.each(['trace-state', 'trace.state'])('is not found as %s', async (name) => {
    expect((await traceOf(unsampled, [name, 'foo=1'])).state).toBeUndefined();
  });

  it.each([
    ['two members', ['foo=1,bar=2'], 'foo=1,bar=2'],
    ['an empty header after one', ['foo=1', ''], 'foo=1'],
    ['an empty header before one', ['', 'foo=1'], 'foo=1'],
    ['several headers, in order', ['foo=1,bar=2', 'rojo=1,congo=2', 'baz=3'], 'foo=1,bar=2,rojo=1,congo=2,baz=3'],
    ['blanks', ['foo=1 \t , \t bar=2, \t baz=3'], 'foo=1,bar=2,baz=3'],
    ['blanks around', ['\t foo=1 \t'], 'foo=1'],
    ['every character', [`${key}=${value}`], `${key}=${value}`],
    ['every character, with a vendor', [`${key}@a-z0-9_-*/=${value}`], `${key}@a-z0-9_-*/=${value}`],
    ['32 members', [bars(1, 10), bars(11, 32)], bars(1, 32)],
    ['a key of 256', ['foo=1', `${'z'.repeat(256)}=1`], `foo=1,${'z'.repeat(256)}=1`],
    ['a key of 241 and 14', [`${'t'.repeat(241)}@${'v'.repeat(14)}=1`], `${'t'.repeat(241)}@${'v'.repeat(14)}=1`],
  ])('is propagated with %s', async (_name, values, expected) => {
    expect(await state(...values)).toBe(expected);
  });

  it.each([
    ['nothing', ['']],
    ['a key twice', ['foo=1,foo=1']],
    ['a key twice with two values', ['foo=1,foo=2']],
    ['a key in two headers', ['foo=1', 'foo=2']],
    ...['foo =1', 'FOO=1', 'foo.bar=1', 'foo@=1,bar=2', '@foo=1,bar=2', 'foo@@bar=1,bar=2', 'foo@bar@baz=1,bar=2'].map(
      (text) => [text, [text]] as const,
    ),
    ['33 members', [bars(1, 10), bars(11, 33)]],
    ['a key of 257', ['foo=1', `${'z'.repeat(257)}=1`]],
    ['a tenant of 242', ['foo=1', `${'t'.repeat(242)}@v=1`]],
    ['a vendor of 15', ['foo=1', `t@${'v'.repeat(15)}=1`]],
    ['a value with an equals sign', ['foo=bar=baz']],
    ['an empty value', ['foo=,bar=3']],
  ] as const)('is dropped completely with %s', async (_name, values) => {
    expect(await state(...values)).toBeUndefined();
  });
});
