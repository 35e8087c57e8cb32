import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

/**
 * Wraps a `lookup` function of the caller so that every result has the form that was requested. Many return one address where
 * all were requested, as text or as an object, or none; Node would fail with a TypeError on any of these.
 */
export function normalizedLookup(lookup: LookupFunction): LookupFunction {
  return (hostname, options: LookupOptions, callback) =>
    lookup(hostname, options, (error, result) => {
      if (error !== null && error !== undefined) return callback(error, []);
      const addresses = toAddresses(result);
      const [first] = addresses;
      if (first === undefined) {
        callback(lookupError('The host has no address of this family', 'ENODATA', hostname), []);
      } else if (!addresses.every(({ family }) => family !== 0)) {
        callback(
          lookupError('The lookup of the host returned something that is not an address', 'EBADRESP', hostname),
          [],
        );
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
}

/** The family of what is not an address is 0. */
function toAddresses(result: unknown): LookupAddress[] {
  if (result === undefined || result === null) return [];
  return (Array.isArray(result) ? result : [result]).map((entry: unknown) => {
    const address = (typeof entry === 'string' ? entry : (entry as LookupAddress | null)?.address) as string;
    return { address, family: isIP(address) };
  });
}

function lookupError(message: string, code: string, hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code, hostname });
}
