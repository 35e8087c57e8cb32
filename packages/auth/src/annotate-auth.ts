import { currentWork } from '@macadam/core';

/** How a caller was authenticated. */
export type AuthMethod = 'jwt' | 'introspection' | 'dpop' | 'api_key' | 'http_signature';

/** The authenticated caller, as far as it is known. Never contains a credential. */
export interface Caller {
  readonly issuer?: string | undefined;
  readonly principal?: string | undefined;
  readonly keyId?: string | undefined;
}

/** Adds the caller to the canonical log line of the current unit of work. */
export function annotateAuth(method: AuthMethod, caller: Caller): void {
  const work = currentWork();
  if (work !== undefined) work.annotate(authAnnotation(method, caller));
}

/** The annotation as an object that can be kept and reused, for a token that is verified many times. */
export function authAnnotation(
  method: AuthMethod,
  { issuer, principal, keyId }: Caller,
): Readonly<Record<string, string>> {
  return Object.freeze({
    'auth.method': method,
    ...(issuer !== undefined && { 'auth.issuer': issuer }),
    ...(principal !== undefined && { 'auth.principal': principal }),
    ...(keyId !== undefined && { 'auth.key_id': keyId }),
  });
}
