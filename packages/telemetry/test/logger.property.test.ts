import fc from 'fast-check';
import { currentWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { pii, secret, withCanonicalLine } from '../src/index.ts';
import { capture } from './capture.ts';

const CANARY = 'c4naryS3cretV4lue';
const names = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    'level',
    'time',
    'msg',
    'pid',
    'err',
    'shadowed',
    '__proto__',
    'toString',
    'toJSON',
    '[…]',
    '[redacted]',
  ),
  fc.constantFrom(
    'password',
    'Authorization',
    'x-api-key',
    'apiKey',
    'token',
    'a',
    'b',
    '[…]#1',
    'eyJhbGciOiJIUzI1NiJ9',
    '',
  ),
);
const bad = (): never => {
  throw new Error('from inside');
};
const leaves = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.double(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom(
    null,
    undefined,
    Symbol('s'),
    bad,
    new Date(0),
    new Date(Number.NaN),
    /x/,
    Buffer.from('x'),
    Object.create(null),
  ),
  fc.constantFrom(secret('hidden'), pii('ada'), new URL('https://u:p@h/'), new Proxy({}, { get: bad, ownKeys: bad })),
  fc.string({ unit: 'binary', minLength: 9_000, maxLength: 9_100 }),
);

/** Trees of everything, some of it hostile; the same part may stand in several places. */
const { value } = fc.letrec<{ value: unknown; record: Record<string, unknown> }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    leaves,
    tie('record'),
    fc.array(tie('value'), { maxLength: 6 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 4 }).map((items) => new Set(items)),
    fc.tuple(fc.string(), tie('value')).map(([message, cause]) => new Error(message, { cause })),
    fc.array(tie('value'), { maxLength: 3 }).map((errors) => new AggregateError(errors, 'many')),
    tie('value').map((json) => ({ toJSON: () => json })),
    tie('value').map((part) => ({ part, again: [part, part] })),
    fc.constant(null).map(() => ({ toJSON: bad })),
    fc.constant(null).map(() => Object.freeze(new Error('frozen'))),
    fc.constant(null).map(() => {
      const circle: unknown[] = [];
      circle.push(circle, new Map([[circle, circle]]));
      return circle;
    }),
    fc.string().map((name) => Object.defineProperty({}, name, { enumerable: true, get: bad })),
  ),
  record: fc.array(fc.tuple(names, tie('value')), { maxLength: 8 }).map((entries) => Object.fromEntries(entries)),
}));

describe('properties of every log call', () => {
  it('T16: one line of valid JSON with unique names, within the limits, and no throw', () => {
    const all = (['pino', 'otel', 'ecs', 'gcp'] as const).map((format) => capture({ format, name: 'fuzz' }));
    const small = capture({ limits: { lineBytes: 4_096, stringBytes: 200, depth: 3, items: 5, nodes: 30 } });
    fc.assert(
      fc.property(value, value, fc.array(value, { maxLength: 3 }), (first, message, args) => {
        for (const { log, lines } of [...all, small]) {
          lines.length = 0;
          const child = log.child({ bound: first });
          (child.error as (...all: unknown[]) => void)(first, message, ...args);
          expect(lines).toHaveLength(1);
          const line = lines[0]!;
          expect(Buffer.byteLength(line)).toBeLessThanOrEqual(log === small.log ? 4_096 : 65_536);

          expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
          expect(doubleNames(line)).toEqual([]);
        }
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('T16: a line stays within its limits when all of its parts are large', () => {
    const unit = fc.constantFrom('y ', 'é', '語', '😀', '"', '\u0001', '\u2028', 'pin=1&', '\ud800');
    const large = fc.tuple(unit, fc.constantFrom(100, 2_000, 9_000)).map(([text, length]) => text.repeat(length / 2));
    const list = fc.array(large, { minLength: 10, maxLength: 100 });
    const fields = fc.dictionary(fc.oneof(names, fc.constantFrom('hostname', 'trace_id', 'exception', 'error')), list, {
      minKeys: 4,
      maxKeys: 8,
    });
    const errors = fc.tuple(large, large, large, list, fields).map(([name, message, stack, cause, own]) => {
      return Object.assign(new Error(message, { cause }), own, { name, stack });
    });
    fc.assert(
      fc.property(fields, fields, fields, errors, large, (first, second, third, err, message) => {
        for (const format of ['pino', 'otel', 'ecs', 'gcp'] as const) {
          for (const lineBytes of [4_096, 65_536]) {
            const { log, lines } = capture({ format, name: 'é'.repeat(50), limits: { lineBytes }, bindings: first });
            const child = log
              .child(second)
              .child(third)
              .child({ ...first, last: 1 });
            child.error({ ...third, err }, message);
            child.info({ err, ...second }, '%o', first);
            void withCanonicalLine(child, { name: message, fields: () => third }, () => currentWork()!.annotate(first));
            for (const line of lines) {
              expect(Buffer.byteLength(line) + 1).toBeLessThanOrEqual(lineBytes);
              expect(doubleNames(line)).toEqual([]);
            }
          }
        }
      }),
      { numRuns: 20, endOnFailure: true },
    );
  });

  it('changes nothing, and writes the same line for the same input', () => {
    const { log, lines } = capture({ clock: Object.assign(virtualClock(), { now: () => 0 }) });
    const plain = fc.jsonValue({ maxDepth: 6 });
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const fields = { a, b };
        const before = JSON.stringify(fields);
        lines.length = 0;
        log.info(fields, 'x');
        log.info(fields, 'x');
        expect(JSON.stringify(fields)).toBe(before);
        expect(lines[0]).toBe(lines[1]);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('writes the same as JSON.stringify if there is nothing to redact, escape or cut', () => {
    const { log, last } = capture();
    const word = fc.stringMatching(/^[a-z]{1,6}$/).map((text) => `w${text}`);
    const tree = fc.object({
      key: word,
      values: [word, fc.integer(), fc.boolean(), fc.constant(null)],
      maxDepth: 4,
      maxKeys: 6,
    });
    fc.assert(
      fc.property(tree, (fields) => {
        log.info({ fields });
        expect(last()['fields']).toEqual(JSON.parse(JSON.stringify(fields)));
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });

  it('never shows a secret, at any place', () => {
    const { log, lines } = capture();
    const places = fc.constantFrom<(inner: unknown) => unknown>(
      () => ({ password: CANARY }),
      () => ({ 'X-Api-Key': [CANARY] }),
      () => `Bearer ${CANARY}`,
      () => `https://u:${CANARY}@h/?access_token=${CANARY}`,
      () => new Error(`failed with token=${CANARY}`),
      () => secret(CANARY),
      () => ['cookie', CANARY],
      () => JSON.stringify({ a: { client_secret: CANARY } }),
      () => `GET / HTTP/1.1\r\nAuthorization: X ${CANARY}\r\n`,
      (inner) => ({ a: inner }),
      (inner) => [inner, 1],
      (inner) => new Map([['a', inner]]),
      (inner) => new Set([inner]),
      (inner) => new Error('x', { cause: inner }),
      (inner) => Object.assign(new Error('x'), { inner }),
      (inner) => ({ toJSON: () => inner }),
      (inner) => new AggregateError([inner], 'x'),
    );
    fc.assert(
      fc.property(fc.array(places, { minLength: 1, maxLength: 8 }), (steps) => {
        lines.length = 0;
        const planted = steps.reduce<unknown>((inner, step) => step(inner), { token: CANARY });
        log.info({ planted }, 'x');
        log.info('x %s %o %j', planted, planted, planted);
        log.info(planted as object);
        log.child({ planted }).info('x');
        expect(lines).toHaveLength(4);
        expect(lines.join('\n')).not.toContain(CANARY);
      }),
      { numRuns: 200, endOnFailure: true },
    );
  });
});

/** Names that stand twice in one object: a scan of the text, since JSON.parse keeps silent about them. */
function doubleNames(line: string): string[] {
  const twice: string[] = [];
  const open: (Set<string> | undefined)[] = [];
  const tokens = line.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g);
  for (const [token, colon] of tokens) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    else if (colon !== undefined) {
      const name = JSON.parse(token.slice(0, -1)) as string;
      if (open.at(-1)?.has(name) === true) twice.push(name);
      open.at(-1)?.add(name);
    }
  }
  JSON.parse(line);
  return twice;
}
