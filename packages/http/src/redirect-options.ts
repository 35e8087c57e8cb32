import { assertBoolean, assertInteger, assertKnownOptions, assertObject, OptionsError } from '@macadam/core';
import { isHeaderName } from './headers.ts';
import type { HttpClientOptions } from './options.ts';
import { DEFAULT_MAX_REDIRECTS, SECRET_HEADERS, type RedirectRules } from './redirect.ts';

/** Checks the `redirects` option and fills in its defaults; false if no redirect is followed. */
export function redirectRules(option: HttpClientOptions['redirects'] = {}): RedirectRules | false {
  if (option === false) return false;
  assertObject('redirects', option);
  assertKnownOptions('redirects', option, ['max', 'crossOrigin', 'secretHeaders']);
  const { max = DEFAULT_MAX_REDIRECTS, crossOrigin = false, secretHeaders = [] } = option;
  assertInteger('redirects.max', max, { min: 1, max: 50 });
  assertBoolean('redirects.crossOrigin', crossOrigin);
  if (!Array.isArray(secretHeaders) || !secretHeaders.every(isHeaderName)) {
    throw new OptionsError('redirects.secretHeaders', secretHeaders, 'a list of header names');
  }
  return {
    max,
    crossOrigin,
    secretHeaders: new Set([...SECRET_HEADERS, ...secretHeaders.map((name: string) => name.toLowerCase())]),
  };
}

/** The rules as a line of `describe()`. */
export function describeRedirects(rules: RedirectRules | false): string {
  if (rules === false) return 'follows no redirects';
  return `follows up to ${rules.max} redirects, ${rules.crossOrigin ? 'to any origin, without secrets' : 'within the origin'}`;
}
