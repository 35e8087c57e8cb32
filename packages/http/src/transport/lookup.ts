import type { LookupAddress, LookupOptions } from 'node:dns';
import type { LookupFunction } from 'node:net';

/** `lookup` of the caller's, with an empty answer as the failure it is: Node would fail with a TypeError on it. */
export function answering(lookup: LookupFunction): LookupFunction {
  return (hostname, options: LookupOptions, callback) =>
    lookup(hostname, options, (error, address, family) => {
      const none = error === null && (address === undefined || (address as string | LookupAddress[]).length === 0);
      if (!none) return callback(error, address, family);
      callback(Object.assign(new Error('The host has no address of this family'), { code: 'ENODATA', hostname }), []);
    });
}
