import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

type LookupResult = string | LookupAddress[] | undefined;

/**
 * Wraps a `lookup` function of the caller so that every result has the form that was requested. Many return one address where
 * all were requested, or none; Node would fail with a TypeError on either.
 */
export function normalizedLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options: LookupOptions, callback) =>
    lookup(hostname, options, (error, result) => {
      if (error !== null && error !== undefined) return callback(error, []);
      const addresses = toAddresses(result as LookupResult);
      const [first] = addresses;
      if (first === undefined) {
        callback(lookupError('The host has no address of this family', 'ENODATA', hostname), []);
      } else if (!addresses.every(({ address }) => isIP(address) !== 0)) {
        callback(
          lookupError('The lookup of the host returned something that is not an address', 'EBADRESP', hostname),
          [],
        );
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
}

function toAddresses(result: LookupResult): LookupAddress[] {
  if (result === undefined || result === null) return [];
  return typeof result === 'string' ? [{ address: result, family: isIP(result) }] : result;
}

function lookupError(message: string, code: string, hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code, hostname });
}
