import { TokenError } from '../errors.ts';
import { type JsonObject, own } from './strict-json.ts';
import { isKid } from './jwk.ts';

/** The key that a JOSE header refers to. `kid` is only used to look up a configured or fetched key. */
export interface KeyReference {
  readonly algorithm: string;
  readonly kid: string | undefined;
}

/** Header parameters that change the meaning of a signature or carry a key (RFC 8725 sections 3.10 and 3.5). */
const UNSUPPORTED_PARAMETERS = ['crit', 'b64', 'zip', 'jku', 'jwk', 'x5u', 'x5c'];

/** @throws TokenError `unsupportedHeader` */
export function rejectUnsupportedHeaders(header: JsonObject): void {
  const unsupported = UNSUPPORTED_PARAMETERS.find((name) => Object.hasOwn(header, name));
  if (unsupported !== undefined) throw new TokenError('unsupportedHeader', { claim: unsupported });
}

/** @throws TokenError `algorithm` for an `alg` that is not among `allowed`, `malformed` for an invalid `kid`. */
export function readKeyReference(
  header: JsonObject,
  allowed: readonly string[],
  issuer: string | undefined,
): KeyReference {
  const algorithm = own(header, 'alg');
  if (typeof algorithm !== 'string' || !allowed.includes(algorithm)) {
    throw new TokenError('algorithm', { claim: 'alg', issuer });
  }
  const kid = own(header, 'kid');
  if (kid !== undefined && !isKid(kid)) throw new TokenError('malformed', { claim: 'kid', issuer });
  return { algorithm, kid };
}
