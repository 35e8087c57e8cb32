import { assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import type { HttpClientOptions, HttpRetryOptions } from './options.ts';
import {
  DEFAULT_RETRY_ERROR_CODES,
  DEFAULT_RETRY_METHODS,
  DEFAULT_RETRY_STATUSES,
  type RetryRules,
} from './retry-rules.ts';

/** The options of the policy, except clock and random, which are those of the client. */
const OPTION_NAMES = [
  'maxAttempts',
  'methods',
  'statuses',
  'errorCodes',
  'backoff',
  'throttledBaseMs',
  'maxRetryAfterMs',
  'retryIf',
  'transparentIf',
  'isThrottled',
  'retryAfterMs',
  'budget',
] as const satisfies readonly (keyof HttpRetryOptions)[];

/** Splits the `retry` option into the rules for HTTP and the options of the policy, which the policy checks. */
export function retrySettings(
  option: HttpClientOptions['retry'] = {},
): Omit<HttpRetryOptions, keyof RetryRules> & { readonly rules: RetryRules } {
  const given = option === false ? {} : option;
  assertObject('retry', given);
  assertKnownOptions('retry', given, OPTION_NAMES);
  const {
    methods = DEFAULT_RETRY_METHODS,
    statuses = DEFAULT_RETRY_STATUSES,
    errorCodes = DEFAULT_RETRY_ERROR_CODES,
    ...policy
  } = given;
  assertList('retry.methods', methods, isText, 'a list of method names');
  assertList('retry.statuses', statuses, isErrorStatus, 'a list of statuses from 300 to 999');
  assertList('retry.errorCodes', errorCodes, isText, 'a list of codes such as "ECONNRESET"');
  return {
    ...policy,
    rules: {
      methods: new Set(methods.map((method) => method.toUpperCase())),
      statuses: new Set(statuses),
      errorCodes: new Set(errorCodes),
    },
  };
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';
const isErrorStatus = (value: unknown): boolean =>
  Number.isInteger(value) && (value as number) >= 300 && (value as number) <= 999;

function assertList(path: string, value: unknown, isMember: (one: unknown) => boolean, allowed: string): void {
  if (!Array.isArray(value)) throw new OptionsError(path, value, allowed);
  const wrong: unknown[] = value.filter((one) => !isMember(one));
  if (wrong.length > 0) throw new OptionsError(path, wrong[0], allowed);
}
