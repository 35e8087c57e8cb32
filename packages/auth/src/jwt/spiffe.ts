// What SPIFFE says of identities (SPIFFE-ID section 2) and of the tokens that carry them (JWT-SVID section 2.2).
import { OptionsError } from '@macadam/core';

/** A trust domain, and segments that are neither empty nor dots: read in any other way, two texts would be one identity. */
const ID = /^(spiffe:\/\/[a-z0-9._-]{1,255})(\/(?!\.{1,2}(\/|$))[A-Za-z0-9._-]+)+$/;
const LONGEST_ID = 2_048;

/** The trust domain that an identity belongs to, such as `spiffe://example.org`; `undefined` for what is no identity. */
export function trustDomainOf(id: unknown): string | undefined {
  return typeof id === 'string' && id.length <= LONGEST_ID ? ID.exec(id)?.[1] : undefined;
}

/** @throws OptionsError for algorithms that the standard has every validator refuse. */
export function assertSvidAlgorithms(path: string, algorithms: readonly string[]): void {
  const other = algorithms.find((one) => !/^(RS|PS|ES)/.test(one));
  if (other !== undefined)
    throw new OptionsError(path, other, 'one of RS, PS and ES, which are all that a JWT-SVID may have');
}
