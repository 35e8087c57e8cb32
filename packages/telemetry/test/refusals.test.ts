/** Who is refused by a rule that works decides neither how many errors are logged, nor whether the service seems to fail. */
import { randomBytes } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { createHmacJwtVerifier, createApiKey, definePermissions, verifyApiKey } from '@macadam/auth';
import { MacadamError } from '@macadam/core';
import { createHttpClient } from '@macadam/http';
import { createLoadShedder, createOutboundLimiter, createRateLimiter, tokenBucket } from '@macadam/ratelimit';
import { respond, startFaultServer } from '@macadam/testkit';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withCanonicalLine, withSpan } from '../src/index.ts';
import { startTelemetry, type Telemetry } from '../src/node.ts';
import { capture } from './capture.ts';

let spans: InMemorySpanExporter;
let telemetry: Telemetry;
beforeEach(() => {
  spans = new InMemorySpanExporter();
  telemetry = startTelemetry({ serviceName: 'x', env: {}, traces: { exporter: spans }, runtimeMetrics: false });
});
afterEach(() => telemetry.shutdown());

interface Ending {
  readonly line: Record<string, unknown>;
  readonly span: ReadableSpan;
}

/** The line and the span of a request whose work ends with an error. */
async function endingOf(work: () => unknown, kind: SpanKind = SpanKind.SERVER): Promise<Ending> {
  const { log, last } = capture();
  const run = async (): Promise<unknown> => await work();
  await expect(withSpan('x', { kind }, () => withCanonicalLine(log, { name: 'x' }, run))).rejects.toBeDefined();
  await telemetry.flush();
  return { line: last(), span: spans.getFinishedSpans().find(({ name }) => name === 'x')! };
}

const unavailable = (): never => {
  throw new Error('the database is away');
};
const rejectsWith = (more: object) => () => Promise.reject(Object.assign(new Error('thrown'), more));

async function spentLimit(): Promise<void> {
  await using limiter = createRateLimiter({ name: 'x', limits: [tokenBucket({ limit: 1, periodMs: 60_000 })] });
  limiter.tryTake('a');
  await limiter.wait('a', { maxWaitMs: 0 });
}

async function fullShedder(): Promise<void> {
  await using shedder = createLoadShedder({ maxQueued: 0, concurrency: { initial: 1, min: 1, max: 1 } });
  let release = (): void => {};
  const first = shedder.run(() => new Promise<void>((resolve) => (release = resolve)));
  await shedder.run(() => {}).finally(() => release());
  await first;
}

async function pausedDependency(): Promise<void> {
  await using limiter = createOutboundLimiter({ name: 'partners' });
  const turn = await limiter.acquire('a');
  turn.settle(new Response('', { status: 429, headers: { 'retry-after': '3600' } }));
  await limiter.acquire('a', { remainingMs: 1 });
}

async function answeredBy(status: number): Promise<void> {
  await using server = await startFaultServer({ faults: [{ fault: respond(status) }] });
  await using client = createHttpClient({ name: 'billing', baseUrl: server.url });
  await client.get('/');
}

const verifier = createHmacJwtVerifier({
  issuer: 'https://issuer.example',
  audience: 'a',
  algorithm: 'HS256',
  secrets: [{ secret: randomBytes(32) }],
});
const can = definePermissions({
  rules: [{ id: 'broken', effect: 'deny', actions: ['order:cancel'], when: unavailable }],
});
const { key } = createApiKey({ environment: 'live' });

describe('a refused caller is', () => {
  it.each<[string, () => unknown, string]>([
    ['an invalid token', () => verifier.verify('x'), 'MAC_TOKEN_INVALID'],
    ['an unknown API key', () => verifyApiKey(key, () => undefined), 'MAC_API_KEY_INVALID'],
    ['no permission', () => can.assert({}, 'order:read' as never), 'MAC_FORBIDDEN'],
    ['a spent limit', spentLimit, 'MAC_RATE_LIMITED'],
    ['an error of a web framework', rejectsWith({ statusCode: 422, code: 'FST_ERR_VALIDATION' }), 'FST_ERR_VALIDATION'],
    ['an error of another web framework', rejectsWith({ status: 404, response: 'Not Found' }), 'Error'],
  ])('logged as a warning, with a span without error: %s', async (_name, work, code) => {
    const { line, span } = await endingOf(work);
    expect(line).toMatchObject({ level: 40, outcome: 'refused', err: { message: expect.any(String) } });
    expect(span.status.code).toBe(SpanStatusCode.UNSET);
    expect(span.attributes['error.type']).toBe(code);
    expect(span.events).toEqual([]);
  });

  it('logged as a warning, with a span with an error for the 503 of a load shedder, as OpenTelemetry requires', async () => {
    const { line, span } = await endingOf(fullShedder);
    expect(line).toMatchObject({ level: 40, outcome: 'refused', err: { code: 'MAC_OVERLOADED', refusalStatus: 503 } });
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
  });

  it('sampled like successful work, and always logged if slow', () => {
    const { log, lines, last } = capture();
    const options = { name: 'x', sampleRatio: 0.5 };
    const refuse = (): never => {
      throw new MacadamError('no', { code: 'MAC_TEST', refusalStatus: 403 });
    };
    expect(() => withCanonicalLine(log, { ...options, random: () => 0.9 }, refuse)).toThrow('no');
    expect(lines).toEqual([]);
    expect(() => withCanonicalLine(log, { ...options, random: () => 0.1 }, refuse)).toThrow('no');
    expect(last()).toMatchObject({ outcome: 'refused', sampleRate: 0.5 });
    expect(() => withCanonicalLine(log, { ...options, random: () => 0.9, slowerThanMs: 0 }, refuse)).toThrow('no');
    expect(last()).toMatchObject({ outcome: 'refused', slow: true });
  });
});

describe('a failure that resembles a refusal is logged as an error:', () => {
  it.each<[string, () => unknown, string]>([
    ['an API key that cannot be looked up', () => verifyApiKey(key, unavailable), 'MAC_API_KEY_INVALID'],
    ['a rule that cannot be evaluated', () => can.assert({}, 'order:cancel'), 'MAC_FORBIDDEN'],
    ['a rate limit of a dependency', pausedDependency, 'MAC_RATE_LIMITED'],
    ['a dependency that responds with 401', () => answeredBy(401), 'MAC_HTTP_STATUS'],
    [
      'a dependency that responds with 401 to another client',
      rejectsWith({ status: 401, response: { status: 401 } }),
      'Error',
    ],
    ['a status of 5xx', rejectsWith({ statusCode: 503 }), 'Error'],
    ['a status that is not a number', rejectsWith({ status: '404' }), 'Error'],
  ])('%s', async (_name, work, code) => {
    const { line, span } = await endingOf(work);
    expect(line).toMatchObject({ level: 50, outcome: 'error' });
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
    expect(span.attributes['error.type']).toBe(code);
  });

  it('a refusal is an error for a CLIENT span', async () => {
    const { span } = await endingOf(rejectsWith({ status: 404 }), SpanKind.CLIENT);
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
  });
});

it('an error of another realm is recorded as any other, and refuses like one', async () => {
  const realm = (code: string) => () => Promise.reject(runInNewContext(code));
  const { line, span } = await endingOf(realm('new RangeError("thrown")'));
  expect(line).toMatchObject({ outcome: 'error', err: { type: 'RangeError', message: 'thrown' } });
  expect(span.attributes).toMatchObject({ 'error.type': 'RangeError' });
  expect(span.events[0]!.attributes).toMatchObject({ 'exception.message': 'thrown' });
  spans.reset();
  const refused = await endingOf(realm('Object.assign(new Error("thrown"), { statusCode: 404 })'));
  expect(refused.span.status.code).toBe(SpanStatusCode.UNSET);
});
