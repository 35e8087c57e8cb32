// The rules of SPIFFE for ids (SPIFFE-ID section 2) and for the algorithms of JWT-SVIDs (JWT-SVID section 2.2).
import { OptionsError } from '@macadam/core';

/** A trust domain and path segments that are neither empty, `.` nor `..`: otherwise two different texts could be one id. */
const SPIFFE_ID = /^(spiffe:\/\/[a-z0-9._-]{1,255})(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/;
const MAX_ID_LENGTH = 2_048;

/** The trust domain of a SPIFFE ID, such as `spiffe://example.org`; `undefined` for anything that is not a SPIFFE ID. */
export function trustDomainOf(id: unknown): string | undefined {
  return typeof id === 'string' && id.length <= MAX_ID_LENGTH ? SPIFFE_ID.exec(id)?.[1] : undefined;
}

/** @throws OptionsError for algorithms that a validator of JWT-SVIDs must reject */
export function assertSvidAlgorithms(path: string, algorithms: readonly string[]): void {
  const other = algorithms.find((one) => !/^(RS|PS|ES)/.test(one));
  if (other !== undefined)
    throw new OptionsError(path, other, 'an RS, PS or ES algorithm: a JWT-SVID may have no other');
}
