import { describe, expect, test } from 'vitest';
import { inferPeer, withPriority, withPropagation } from './peer.ts';

test('headers that the caller sets are sent once, as the caller sets them', () => {
  const own = ['x-request-timeout-ms', '5', 'x-request-priority', 'low', 'x-request-attempt', '7'];
  expect(withPropagation(own, { limitMs: 100, priority: 'high', attempt: 2 })).toEqual(own);
  expect(withPriority(own, 'high')).toEqual(own);
});

describe('inferPeer', () => {
  const internal = [
    'localhost',
    'app.localhost',
    '127.0.0.1',
    '127.255.0.9',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.9.9',
    '100.64.0.1',
    '[::1]',
    '[fd00::1]',
    '[fe80::1]',
    '[::ffff:10.0.0.1]',
    'billing.internal',
    'billing.internal.',
    'BILLING.Internal',
    'printer.local',
    'billing.default.svc',
    'billing.default.svc.cluster.local',
  ];
  const external = [
    'example.com',
    'internal.example.com',
    'notinternal',
    'internal',
    '8.8.8.8',
    '172.15.0.1',
    '172.32.0.1',
    '192.169.0.1',
    '100.128.0.1',
    '[2606:4700::1]',
    '[::ffff:8.8.8.8]',
    'localhost.example.com',
    'mylocalhost',
    '10.example.com',
  ];
  test.each(internal)('%s is internal', (host) =>
    expect(inferPeer(new URL(`http://${host}`).hostname)).toBe('internal'),
  );
  test.each(external)('%s is external', (host) =>
    expect(inferPeer(new URL(`http://${host}`).hostname)).toBe('external'),
  );

  test('other notations of an address count as the address', () => {
    expect(inferPeer(new URL('http://2130706433').hostname)).toBe('internal');
    expect(inferPeer(new URL('http://0x7f.1').hostname)).toBe('internal');
  });
});

describe('withPropagation', () => {
  test.each([
    ['a first try', { limitMs: 1_000.9, priority: undefined, attempt: 1 }, ['x-request-timeout-ms', '1000']],
    ['the usual priority is not sent', { limitMs: 5, priority: 'normal', attempt: 1 }, ['x-request-timeout-ms', '5']],
    [
      'no time left is still a positive number',
      { limitMs: -3, priority: undefined, attempt: 1 },
      ['x-request-timeout-ms', '1'],
    ],
    [
      'everything',
      { limitMs: 20, priority: 'low', attempt: 3 },
      ['x-request-timeout-ms', '20', 'x-request-priority', 'low', 'x-request-attempt', '3'],
    ],
  ] as const)('%s', (_what, context, headers) => {
    expect(withPropagation(['a', 'b'], context)).toEqual(['a', 'b', ...headers]);
  });
});
