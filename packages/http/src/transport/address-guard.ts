/**
 * Keeps requests away from what only looks like the outside: a name may resolve to a private address, today or the next
 * time it is asked for. So it is resolved once, for the connection itself; every answer is checked; and the connection
 * goes to what was checked.
 *
 * Sources: the IANA special-purpose registries (RFC 6890 and its updates); stripe/smokescreen, which denies the same.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/** A connection that was not made, because of where it would have led. */
export class AddressBlockedError extends Error {
  readonly code = 'MAC_HTTP_SSRF_BLOCKED';
  readonly hostname: string;
  /** The address that must not be reached; undefined when there was none at all. */
  readonly address: string | undefined;

  constructor(hostname: string, address: string | undefined) {
    super(address === undefined ? 'The host has no address' : 'The host leads to a private or special address');
    this.hostname = hostname;
    this.address = address;
  }
}

/** What IPv4-only hosts are called in networks that speak IPv6 only (RFC 6052): the address is in the last 32 bits. */
const NAT64 = ipaddr.parseCIDR('64:ff9b::/96');
/** All that is global unicast so far (RFC 4291, IANA). */
const GLOBAL_UNICAST = ipaddr.parseCIDR('2000::/3');
/** Special ranges that the library counts among the public ones. */
const MORE_SPECIAL = ['192.88.99.0/24', '3fff::/20'].map((range) => ipaddr.parseCIDR(range));

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

/** `resolve` with every answer checked: one that is not public spoils them all, since which is used is up to chance. */
export function guardedLookup(resolve: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    const all: LookupOptions = { ...options, all: true };
    resolve(hostname, all, (error, answers) => {
      if (error !== null) return callback(error, []);
      const addresses = answers as LookupAddress[];
      const blocked = addresses.find(({ address }) => !isPublicAddress(address));
      const [first] = addresses;
      if (blocked !== undefined || first === undefined) {
        return callback(new AddressBlockedError(hostname, blocked?.address), []);
      }
      if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}
