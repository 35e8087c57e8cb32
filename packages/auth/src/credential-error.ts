import type { MacadamErrorOptions } from '@macadam/core';

/**
 * The options that all errors about rejected credentials have in common: the caller gets 401.
 *
 * @param retryable - the credentials could not be judged, because something on our side failed. The caller is not at fault,
 *   and the same credentials may be accepted later.
 */
export function credentialErrorOptions(code: string, retryable: boolean, cause: unknown): MacadamErrorOptions {
  return {
    code,
    retryable,
    refusalStatus: retryable ? undefined : 401,
    cause,
    // A rejection is an expected result, and an attacker decides how many there are: no time goes into stack traces.
    stack: false,
  };
}
