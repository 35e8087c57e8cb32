import { currentWork } from '@macadam/core';

/** How a caller was recognised. */
export type AuthMethod = 'jwt' | 'introspection' | 'dpop' | 'api_key' | 'http_signature';

/** Who was recognised, as far as known. Never what proved it. */
export interface Recognised {
  readonly issuer?: string | undefined;
  readonly principal?: string | undefined;
  readonly keyId?: string | undefined;
}

/** Notes on the current unit of work who calls, for the one line that tells of it. */
export function annotateAuth(method: AuthMethod, recognised: Recognised): void {
  const work = currentWork();
  if (work !== undefined) work.annotate(authAnnotation(method, recognised));
}

/** The same to keep, for what is recognised many times. */
export function authAnnotation(
  method: AuthMethod,
  { issuer, principal, keyId }: Recognised,
): Readonly<Record<string, string>> {
  return Object.freeze({
    'auth.method': method,
    ...(issuer !== undefined && { 'auth.issuer': issuer }),
    ...(principal !== undefined && { 'auth.principal': principal }),
    ...(keyId !== undefined && { 'auth.key_id': keyId }),
  });
}
