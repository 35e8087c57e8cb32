/** What addresses mean, whatever way they are written: the one place that knows the library for it. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Addresses that begin with the same bits. */
export interface AddressRange {
  includes(address: string): boolean;
}

/** What IPv4-only hosts are called in networks that speak IPv6 only (RFC 6052): the address is in the last 32 bits. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');
/** All that is global unicast so far (RFC 4291, IANA). */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** Special ranges that the library counts among the public ones; the last is the host of a machine in Azure, to that machine. */
const MORE_SPECIAL = ['192.88.99.0/24', '3fff::/20', '168.63.129.16/32'].map((range) => ipaddr.parseCIDR(range));

/** The host of a URL as everybody but URLs has it: an address of IPv6 without brackets. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** Whether `address`, as a resolver gives it, can be reached from anywhere: not private, local, reserved or a tunnel. */
export function isPublicAddress(address: string): boolean {
  // A zone such as %eth0 is for links only, and so is the address.
  if (!ipaddr.isValid(address) || address.includes('%')) return false;
  const parsed = ipaddr.parse(address);
  if (MORE_SPECIAL.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits))) return false;
  if (parsed.kind() === 'ipv4') return parsed.range() === 'unicast';
  if (parsed.match(...NAT64)) return isPublicAddress(parsed.toByteArray().slice(12).join('.'));
  return parsed.match(...GLOBAL_UNICAST) && parsed.range() === 'unicast';
}

/** Whether `address` is this machine's own to itself. What is no address is not. */
export function isLoopback(address: string): boolean {
  // `process` sees through IPv4 within IPv6.
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'loopback';
}

/** `10.0.0.0/8`, or an address, which is a range of one; undefined for anything else. */
export function addressRange(text: string): AddressRange | undefined {
  const [literal = '', bits, ...more] = text.split('/');
  const family = isIP(literal);
  if (family === 0 || more.length > 0) return undefined;
  const width = family === 4 ? 32 : 128;
  const length = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity;
  if (length > width) return undefined;
  const written = ipaddr.parse(literal);
  const mapped = written instanceof ipaddr.IPv6 && written.isIPv4MappedAddress() && length >= 96;
  const start = mapped ? written.toIPv4Address() : written;
  const same = mapped ? length - 96 : length;
  return {
    includes: (address) => {
      if (isIP(address) === 0) return false;
      const one = ipaddr.process(address);
      return one.kind() === start.kind() && one.match(start, same);
    },
  };
}

/** The 4 or 16 bytes of an address. */
export function addressBytes(address: string): readonly number[] {
  return ipaddr.parse(address).toByteArray();
}
