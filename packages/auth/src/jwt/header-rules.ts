import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';
import { isKid } from './key-rules.ts';

/** What a header names. The name of a key is there to look it up, and for nothing else. */
export interface NamedKey {
  readonly algorithm: string;
  readonly kid: string | undefined;
}

/** Headers that change what a signature means, or bring their own key (RFC 8725 sections 3.10 and 3.5). */
const REFUSED_HEADERS = ['crit', 'b64', 'zip', 'jku', 'jwk', 'x5u', 'x5c'];

/** @throws TokenError `unsupportedHeader` for a header that asks for what is never done. */
export function checkExtensions(header: JsonObject): void {
  const refused = REFUSED_HEADERS.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) throw new TokenError('unsupportedHeader', { claim: refused });
}

/** @throws TokenError `algorithm` for one that is not among `allowed`, `malformed` for a `kid` that is no name. */
export function namedIn(header: JsonObject, allowed: readonly string[], issuer: string | undefined): NamedKey {
  const algorithm = own(header, 'alg');
  if (typeof algorithm !== 'string' || !allowed.includes(algorithm)) {
    throw new TokenError('algorithm', { claim: 'alg', issuer });
  }
  const kid = own(header, 'kid');
  if (kid !== undefined && !isKid(kid)) throw new TokenError('malformed', { claim: 'kid', issuer });
  return { algorithm, kid };
}
