import type { LookupAddress, LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';

/** What a resolver answers with: one address and its family, or a list. */
type Answer = string | LookupAddress[] | undefined;

/**
 * `lookup` of the caller's with every answer it may give brought into the form that was asked for. Many give one address
 * where all were asked for, or none; Node would fail with a TypeError on either.
 */
export function answering(lookup: LookupFunction): LookupFunction {
  return (hostname, options: LookupOptions, callback) =>
    lookup(hostname, options, (error, answer) => {
      if (error !== null && error !== undefined) return callback(error, []);
      const addresses = addressesOf(answer as Answer);
      const [first] = addresses;
      if (first === undefined) callback(failed('The host has no address of this family', 'ENODATA', hostname), []);
      else if (!addresses.every(({ address }) => isIP(address) !== 0)) {
        callback(failed('What was found for the host is not an address', 'EBADRESP', hostname), []);
      } else if (options.all === true) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
}

function addressesOf(answer: Answer): LookupAddress[] {
  if (answer === undefined || answer === null) return [];
  return typeof answer === 'string' ? [{ address: answer, family: isIP(answer) }] : answer;
}

function failed(message: string, code: string, hostname: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code, hostname });
}
