import type { MacadamErrorOptions } from '@macadam/core';

/**
 * What an error says of credentials that are not accepted: their caller is refused with 401.
 *
 * @param unjudged - whether they could not be judged: nobody is refused then, something of ours failed, and the same may be
 *   accepted later
 */
export function rejected(code: string, unjudged: boolean, cause: unknown): MacadamErrorOptions {
  return {
    code,
    retryable: unjudged,
    refusalStatus: unjudged ? undefined : 401,
    cause,
    // Refusals are answers, not accidents, and an attacker decides how many there are.
    stack: false,
  };
}
