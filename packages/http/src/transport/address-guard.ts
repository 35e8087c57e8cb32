/**
 * Prevents requests to private addresses behind public names (SSRF). A name may resolve to a public address when it is
 * checked and to a private one when it is connected to (DNS rebinding). So each name is resolved once, for the connection
 * itself, every address is checked, and the connection goes to a checked address.
 *
 * Sources: the IANA special-purpose registries (RFC 6890 and its updates); stripe/smokescreen, which denies the same.
 */
import { lookup as systemLookup } from 'node:dns';
import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isPublicAddress } from './ip-address.ts';

/** A connection that was not made because its address is not public. */
export class AddressBlockedError extends Error {
  readonly code = 'MAC_HTTP_SSRF_BLOCKED';
  readonly hostname: string;
  /** The blocked address; undefined when the host has none at all. */
  readonly address: string | undefined;

  constructor(hostname: string, address: string | undefined) {
    super(address === undefined ? 'The host has no address' : 'The address of the host is private or special');
    this.hostname = hostname;
    this.address = address;
  }
}

/** Wraps `resolve`: one address that is not public blocks the host, since Node may connect to any of them. */
export function guardedLookup(resolve: LookupFunction = systemLookup as LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    const all: LookupOptions = { ...options, all: true };
    resolve(hostname, all, (error, result) => {
      if (error !== null) return callback(error, []);
      const addresses = result as LookupAddress[];
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
