import { expect, test } from 'vitest';
import { noProxy } from './no-proxy.ts';

const isExcepted = (list: string, url: string): boolean => noProxy(list)(new URL(url));

test.each<[list: string, url: string, excepted: boolean]>([
  // Empty lists.
  ['', 'http://a.example', false],
  [' , ,', 'http://a.example', false],
  // Names match themselves and their subdomains.
  ['a.example', 'http://a.example', true],
  ['a.example', 'https://b.a.example', true],
  ['a.example', 'http://ba.example', false],
  ['a.example', 'http://a.example.org', false],
  ['.a.example', 'http://b.a.example', true],
  ['.a.example', 'http://a.example', true],
  ['*.a.example', 'http://b.a.example', true],
  ['*.a.example', 'http://a.example', false],
  ['*a.example', 'http://ba.example', false],
  // Spellings of names.
  ['A.Example', 'http://a.EXAMPLE', true],
  ['a.example.', 'http://a.example', true],
  ['a.example', 'http://a.example.', true],
  ['bücher.example', 'http://xn--bcher-kva.example', true],
  ['my_service.internal', 'http://my_service.internal', true],
  // Separators.
  ['b.example,a.example', 'http://a.example', true],
  ['b.example a.example', 'http://a.example', true],
  [' b.example ,\ta.example\n', 'http://a.example', true],
  // All hosts.
  ['*', 'http://a.example', true],
  ['b.example, *', 'https://10.0.0.1', true],
  ['*:8080', 'http://a.example:8080', true],
  ['*:8080', 'http://a.example', false],
  // Ports.
  ['a.example:8080', 'http://a.example:8080', true],
  ['a.example:8080', 'http://b.a.example:8080', true],
  ['a.example:8080', 'http://a.example', false],
  ['a.example:80', 'http://a.example', true],
  ['a.example:443', 'https://a.example', true],
  ['a.example:443', 'http://a.example', false],
  // A typical list of a Kubernetes cluster.
  ['10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.svc,.cluster.local', 'https://10.96.0.1:443', true],
  ['10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.svc,.cluster.local', 'http://billing.payments.svc', true],
  ['10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.svc,.cluster.local', 'http://billing.payments.svc.cluster.local', true],
  ['10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.svc,.cluster.local', 'https://172.32.0.1', false],
  ['10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,.svc,.cluster.local', 'https://a.example', false],
  // Addresses and ranges.
  ['10.1.2.3', 'http://10.1.2.3', true],
  ['10.1.2.3', 'http://10.1.2.30', false],
  ['10.1.2.3', 'http://0x0a010203', true],
  ['10.1.2.3:8080', 'http://10.1.2.3:8080', true],
  ['10.1.2.3:8080', 'http://10.1.2.3', false],
  ['10.1.2.3', 'http://1.10.1.2.3.example', false],
  ['10.1.2.3/31', 'http://10.1.2.2', true],
  ['10.1.2.3/31', 'http://10.1.2.4', false],
  ['10.1.2.3/32', 'http://10.1.2.3', true],
  ['0.0.0.0/0', 'http://8.8.8.8', true],
  ['0.0.0.0/0', 'http://[2001:db8::1]', false],
  ['10.0.0.0/8', 'http://10.example', false],
  ['fd00::/8', 'http://[fd12::7]', true],
  ['fd00::/8', 'http://[fe80::7]', false],
  ['[fd00::]/8', 'http://[fd12::7]', false],
  ['2001:db8::1', 'http://[2001:DB8:0::0:1]', true],
  ['[2001:db8::1]', 'http://[2001:db8::1]:8080', true],
  ['[2001:db8::1]:8080', 'http://[2001:db8::1]:8080', true],
  ['[2001:db8::1]:8080', 'http://[2001:db8::1]', false],
  ['10.0.0.0/8', 'http://[::ffff:10.0.0.1]', true],
  ['::ffff:10.0.0.0/104', 'http://10.0.0.1', true],
  ['::ffff:10.0.0.1', 'http://10.0.0.1', true],
  // Entries that cannot be parsed are ignored; the others still count.
  ['10.0.0.0/33,a.example', 'http://10.0.0.1', false],
  ['10.0.0.0/33,a.example', 'http://a.example', true],
  ['10.0.0.0/', 'http://10.0.0.1', false],
  ['10.0.0.0/8/8', 'http://10.0.0.1', false],
  ['10.0.0.0/-1', 'http://10.0.0.1', false],
  ['fd00::/129', 'http://[fd00::1]', false],
  ['10.1', 'http://10.0.0.1', false],
  ['http://a.example', 'http://a.example', false],
  ['.', 'http://a.example', false],
  ['*.', 'http://a.example', false],
  // Loopback.
  ['', 'http://localhost:3000', true],
  ['', 'http://api.localhost', true],
  ['', 'http://localhost.', true],
  ['', 'http://127.0.0.1', true],
  ['', 'http://127.9.9.9', true],
  ['', 'http://[::1]', true],
  ['', 'http://[::ffff:127.0.0.1]', true],
  ['', 'http://localhost.example', false],
  ['', 'http://0.0.0.0', false],
])('%j: %s: %s', (list, url, excepted) => {
  expect(isExcepted(list, url)).toBe(excepted);
});

test('accepts a target in the form of undici: without brackets, and with a port or none', () => {
  const rule = noProxy('fd00::/8,a.example:443');
  expect(rule({ protocol: 'https:', hostname: 'fd00::1', port: '' })).toBe(true);
  expect(rule({ protocol: 'https:', hostname: 'a.example', port: '' })).toBe(true);
  expect(rule({ protocol: 'https:', hostname: 'a.example', port: '443' })).toBe(true);
});
