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
import { isPublicAddress } from './ip-address.ts';

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
