import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, test } from 'vitest';
import { guardedLookup } from './address-guard.ts';
import { isPublicAddress } from './ip-address.ts';

describe('AC38: which addresses are public', () => {
  test.each([
    ['93.184.215.14', true],
    ['8.8.8.8', true],
    ['172.15.255.255', true],
    ['172.32.0.0', true],
    ['100.63.255.255', true],
    ['2606:4700:4700::1111', true],
    ['2a00:1450:4001:82a::200e', true],
    ['0.0.0.0', false],
    ['0.1.2.3', false],
    ['10.0.0.1', false],
    ['100.64.0.1', false],
    ['127.0.0.1', false],
    ['127.255.255.254', false],
    ['169.254.169.254', false],
    ['172.16.0.1', false],
    ['172.31.255.255', false],
    ['192.0.0.8', false],
    ['192.0.2.1', false],
    ['192.88.99.1', false],
    ['168.63.129.16', false],
    ['168.63.129.17', true],
    ['192.168.1.1', false],
    ['198.18.0.1', false],
    ['198.51.100.7', false],
    ['203.0.113.7', false],
    ['224.0.0.1', false],
    ['240.0.0.1', false],
    ['255.255.255.255', false],
    ['::', false],
    ['::1', false],
    ['::7f00:1', false],
    ['fc00::1', false],
    ['fd00:ec2::254', false],
    ['fe80::1', false],
    ['fe80::1%eth0', false],
    ['2606:4700::1%eth0', false],
    ['fec0::1', false],
    ['ff02::1', false],
    ['100::1', false],
    ['2001:db8::1', false],
    ['3fff::1', false],
    ['5f00::1', false],
    ['4000::1', false],
    // IPv4 within IPv6: mapped, NAT64, 6to4, Teredo.
    ['::ffff:127.0.0.1', false],
    ['::ffff:a9fe:a9fe', false],
    ['::ffff:8.8.8.8', false],
    ['64:ff9b::8.8.8.8', true],
    ['64:ff9b::169.254.169.254', false],
    ['64:ff9b::168.63.129.16', false],
    ['64:ff9b::7f00:1', false],
    ['64:ff9b:1::8.8.8.8', false],
    ['::127.0.0.1', false],
    ['::ffff:0:127.0.0.1', false],
    ['2001:2::1', false],
    ['2001:20::1', false],
    ['2002:7f00:1::', false],
    ['2002:808:808::', false],
    ['2001:0:808:808::', false],
    ['', false],
    ['localhost', false],
    ['08.8.8.8.8', false],
  ])('%s: %s', (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected);
  });

  test.each(['0x7f000001', '2130706433', '0177.0.0.1', '127.1', '0x7f.1', '017700000001', '①②⑦.⓪.⓪.①'])(
    '%s in a URL is recognized as the loopback address',
    (spelling) => {
      expect(isPublicAddress(new URL(`http://${spelling}/`).hostname)).toBe(false);
    },
  );
});

function resolving(...answers: string[]): LookupFunction {
  return (_hostname, options, callback) => {
    expect(options.all).toBe(true);
    const found: LookupAddress[] = answers.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    callback(null, found);
  };
}

function lookedUp(lookup: LookupFunction, all: boolean): { error: unknown; address: unknown } {
  let result: { error: unknown; address: unknown } = { error: undefined, address: undefined };
  lookup('host.example', { all }, (error, address) => (result = { error, address }));
  return result;
}

describe('guardedLookup', () => {
  test('returns the addresses of a name that has public ones only', () => {
    const lookup = guardedLookup(resolving('8.8.8.8', '2606:4700:4700::1111'));
    expect(lookedUp(lookup, true)).toEqual({
      error: null,
      address: [
        { address: '8.8.8.8', family: 4 },
        { address: '2606:4700:4700::1111', family: 6 },
      ],
    });
    expect(lookedUp(lookup, false)).toMatchObject({ error: null, address: '8.8.8.8' });
  });

  test.each([
    ['a private address', ['10.0.0.1'], '10.0.0.1'],
    ['a private address among public ones', ['8.8.8.8', '::ffff:10.0.0.1'], '::ffff:10.0.0.1'],
    ['no address', [], undefined],
  ])('blocks a name with %s', (_what, answers, address) => {
    for (const all of [true, false]) {
      const { error } = lookedUp(guardedLookup(resolving(...answers)), all);
      expect(error).toMatchObject({ code: 'MAC_HTTP_SSRF_BLOCKED', hostname: 'host.example', address });
    }
  });

  test('DNS rebinding: every lookup is checked again, and the checked address is returned', () => {
    let lookups = 0;
    const lookup = guardedLookup((hostname, options, callback) =>
      resolving(lookups++ === 0 ? '8.8.8.8' : '127.0.0.1')(hostname, options, callback),
    );
    expect(lookedUp(lookup, false).address).toBe('8.8.8.8');
    expect(lookups).toBe(1);
    expect(lookedUp(lookup, false).error).toMatchObject({ address: '127.0.0.1' });
  });

  test('passes on the error of a lookup', () => {
    const failed = Object.assign(new Error('no'), { code: 'ENOTFOUND' });
    expect(
      lookedUp(
        guardedLookup((_h, _o, callback) => callback(failed, [])),
        false,
      ).error,
    ).toBe(failed);
  });
});
