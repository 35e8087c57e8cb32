/** Parses and classifies IP addresses. The only file that imports ipaddr.js. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A CIDR block. */
export interface AddressRange {
  includes(address: string): boolean;
}

/** NAT64: addresses of IPv4 hosts in IPv6-only networks (RFC 6052). The last 32 bits are the IPv4 address. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');
/** The only block that IANA has allocated for global unicast (RFC 4291). */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** Special ranges that ipaddr.js takes for public. The last is Azure's virtual host address, which a VM uses to reach its host. */
const EXTRA_SPECIAL_RANGES = ['192.88.99.0/24', '3fff::/20', '168.63.129.16/32'].map((range) =>
  ipaddr.parseCIDR(range),
);

/** The host of a URL in the form that sockets and resolvers expect: IPv6 addresses without brackets. */
export function withoutBrackets(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}

/** Whether `address` is reachable from anywhere: not private, link-local, reserved, or one that embeds an IPv4 address to tunnel to. */
export function isPublicAddress(address: string): boolean {
  // An address with a zone, such as %eth0, is link-local.
  if (!ipaddr.isValid(address) || address.includes('%')) return false;
  const parsed = ipaddr.parse(address);
  if (EXTRA_SPECIAL_RANGES.some(([range, bits]) => parsed.kind() === range.kind() && parsed.match(range, bits)))
    return false;
  if (parsed.kind() === 'ipv4') return parsed.range() === 'unicast';
  if (parsed.match(...NAT64)) return isPublicAddress(parsed.toByteArray().slice(12).join('.'));
  return parsed.match(...GLOBAL_UNICAST) && parsed.range() === 'unicast';
}

/** Whether `address` is a loopback address; false for text that is no address. */
export function isLoopback(address: string): boolean {
  // `process` unwraps IPv4-mapped IPv6 addresses.
  return isIP(address) !== 0 && ipaddr.process(address).range() === 'loopback';
}

/** Parses `10.0.0.0/8`, or a single address as a range of one; undefined for anything else. */
export function addressRange(text: string): AddressRange | undefined {
  const [literal = '', bits, ...more] = text.split('/');
  const family = isIP(literal);
  if (family === 0 || more.length > 0) return undefined;
  const width = family === 4 ? 32 : 128;
  const length = bits === undefined ? width : /^\d{1,3}$/.test(bits) ? Number(bits) : Infinity;
  if (length > width) return undefined;
  const parsed = ipaddr.parse(literal);
  // `includes` unwraps IPv4-mapped addresses, so a range within ::ffff:0:0/96 becomes one of IPv4.
  const isMapped = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() && length >= 96;
  const start = isMapped ? parsed.toIPv4Address() : parsed;
  const prefixLength = isMapped ? length - 96 : length;
  return {
    includes: (address) => {
      if (isIP(address) === 0) return false;
      const parsedAddress = ipaddr.process(address);
      return parsedAddress.kind() === start.kind() && parsedAddress.match(start, prefixLength);
    },
  };
}

/** The 4 or 16 bytes of an address. */
export function addressBytes(address: string): readonly number[] {
  return ipaddr.parse(address).toByteArray();
}
