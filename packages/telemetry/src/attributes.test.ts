import { describe, expect, it } from 'vitest';
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
      bad: '[threw]',
    });
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
