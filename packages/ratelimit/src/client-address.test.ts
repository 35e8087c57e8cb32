import { describe, expect, it } from 'vitest';
import { clientAddress, type ClientAddressOptions } from './client-address.ts';

function of(remoteAddress: string | undefined, forwarded?: string | string[], options?: ClientAddressOptions): string {
  return clientAddress({ socket: { remoteAddress }, headers: { 'x-forwarded-for': forwarded } }, options);
}

describe('clientAddress', () => {
  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['::ffff:cb00:7107', '203.0.113.7'],
    ['0:0:0:0:0:FFFF:203.0.113.7', '203.0.113.7'],
    ['::203.0.113.7', '203.0.113.7'],
    ['64:ff9b::203.0.113.7', '203.0.113.7'],
    ['64:ff9b::cb00:7107', '203.0.113.7'],
    ['::ffff:0:203.0.113.7', '203.0.113.7'],
    ['::1', '0:0:0:0:0:0:0:1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:0:0:0:0/64'],
    ['2001:DB8:0001:2::', '2001:db8:1:2:0:0:0:0/64'],
    ['2001:db8:1:2::ffff%eth0', '2001:db8:1:2:0:0:0:0/64'],
    [undefined, 'unknown'],
    ['', 'unknown'],
    ['not an address', 'unknown'],
  ])('express-rate-limit GHSA-46wh, fastify-rate-limit 11.2: %s is the client %s', (address, key) => {
    expect(of(address)).toBe(key);
  });

  it.each([
    [56, '2001:db8:1:200:0:0:0:0/56'],
    [60, '2001:db8:1:2f0:0:0:0:0/60'],
    [128, '2001:db8:1:2ff:3:4:5:6'],
  ])('keeps %d bits of an IPv6 address', (ipv6PrefixLength, key) => {
    expect(of('2001:db8:1:2ff:3:4:5:6', undefined, { ipv6PrefixLength })).toBe(key);
  });

  it.each([
    ['no trusted hop: the header is not read', '6.6.6.6', 0, '10.0.0.1'],
    ['one hop: the rightmost entry', '6.6.6.6, 203.0.113.7', 1, '203.0.113.7'],
    ['two hops', '6.6.6.6, 203.0.113.7, 10.0.0.2', 2, '203.0.113.7'],
    ['fewer entries than hops: the leftmost there is', '203.0.113.7', 3, '203.0.113.7'],
    ['no header although a hop is trusted', undefined, 1, '10.0.0.1'],
    ['garbage in the place: the next one in, which is ours', '6.6.6.6, hello', 1, '10.0.0.1'],
    ['ports and quotes', '"[2001:db8:1:2::5]:443"', 1, '2001:db8:1:2:0:0:0:0/64'],
    ['a port after IPv4', '203.0.113.7:51234', 1, '203.0.113.7'],
    ['spaces and empty entries', ' , 203.0.113.7 ', 1, '203.0.113.7'],
  ])('express-rate-limit #134: %s', (_, header, trustedHops, key) => {
    expect(of('10.0.0.1', header, { trustedHops })).toBe(key);
  });

  it('reads only the last entries of a header with a million', () => {
    const headers = { 'x-forwarded-for': `${'6.6.6.6,'.repeat(1_000_000)}203.0.113.7` };
    expect(clientAddress({ socket: { remoteAddress: '10.0.0.1' }, headers }, { trustedHops: 1 })).toBe('203.0.113.7');
  });

  it('accepts an array of header values and another header, and rejects wrong options', () => {
    expect(of('10.0.0.1', ['6.6.6.6', '203.0.113.7'], { trustedHops: 1 })).toBe('203.0.113.7');
    const headers = { 'true-client-ip': '203.0.113.9' };
    const request = { socket: { remoteAddress: '10.0.0.1' }, headers };
    expect(clientAddress(request, { trustedHops: 1, header: 'True-Client-IP' })).toBe('203.0.113.9');
    expect(() => of('::1', '', { trustedHops: -1 })).toThrow(expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }));
    expect(() => of('::1', '', { ipv6PrefixLength: 20 })).toThrow(
      expect.objectContaining({ code: 'MAC_INVALID_OPTIONS' }),
    );
  });
});
