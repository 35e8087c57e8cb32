import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { capture } from '../test/capture.ts';
import { spanAttributes } from './attributes.ts';
import { pii, secret } from './sensitive.ts';

describe('spanAttributes', () => {
  it('flattens and redacts, and leaves out values that cannot be attributes', () => {
    expect(
      spanAttributes({
        plan: 'pro',
        count: 3n,
        order: { id: 17, apiKey: 'x', items: [1, 2], tags: ['a', 1, null] },
        url: 'https://u:p@h/?token=x',
        wrapped: [secret('x'), pii('y')],
        secret: secret('x'),
        owner: pii('ada'),
        at: new Date(0),
        error: new TypeError('bad token=x'),
        foreign: runInNewContext('new TypeError("bad token=x")'),
        none: undefined,
        nothing: null,
        fn: () => 1,
        nan: Number.NaN,
        get bad() {
          throw new Error('x');
        },
      }),
    ).toEqual({
      plan: 'pro',
      count: '3',
      'order.id': 17,
      'order.apiKey': '[redacted]',
      'order.items': [1, 2],
      'order.tags': ['a', '1'],
      url: 'https://[redacted]@h/?token=[redacted]',
      wrapped: ['[redacted]', '[pii]'],
      secret: '[redacted]',
      owner: '[pii]',
      at: '1970-01-01T00:00:00.000Z',
      error: 'TypeError: bad token=[redacted]',
      foreign: 'TypeError: bad token=[redacted]',
      bad: '[threw]',
    });
  });

  it.each([
    ['the argument after an option', { argv: ['psql', '--password', 'C4nary'] }],
    ['a flat list of headers', { rawHeaders: ['Host', 'a', 'Cookie', 'sid=C4nary'] }],
    ['a card as a number', { n: 4111111111111111 }],
    ['a card as a BigInt', { n: 4111111111111111n }],
    ['a card in a list', { n: [1, 4111111111111111] }],
    ['a card at the cut', { text: `${'x '.repeat(505)}4111111111111111 and ${'more '.repeat(2_000)}` }],
    ['a token at the cut', { text: `${'x '.repeat(505)}ghp_C4naryC4naryC4nary and ${'more '.repeat(2_000)}` }],
    ['a URL at the cut', { text: `${'x'.repeat(1_000)} https://user:C4naryC4nary@host/${'z'.repeat(9_000)}` }],
  ])('redacts %s, like a log line', (_name, fields) => {
    const { log, lines } = capture();
    log.info(fields);
    for (const written of [lines[0]!.replace(/"time":\d+/, ''), JSON.stringify(spanAttributes(fields))]) {
      expect(written).not.toMatch(/C4n|4111/);
    }
  });

  it('limits attributes, items and lengths, also for circular and hostile objects', () => {
    const circle: Record<string, unknown> = { a: 1 };
    circle['self'] = circle;
    expect(Object.keys(spanAttributes(circle))).toHaveLength(4);
    const wide = Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, 'x'.repeat(5_000)]));
    const attributes = spanAttributes(wide);
    expect(Object.keys(attributes)).toHaveLength(64);
    expect((attributes['k0'] as string).length).toBeLessThanOrEqual(1_028);
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('x');
        },
      },
    );
    expect(spanAttributes({ hostile, list: Array(1_000).fill(1) })['list']).toHaveLength(32);
  });
});
