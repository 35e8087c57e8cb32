import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  type Clock,
  OptionsError,
  type Random,
  systemClock,
  systemRandom,
  withheld,
} from '@macadam/core';
import { isDpopKey } from '../dpop/dpop-key.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import { endpointUrl } from '../fetch/endpoint-url.ts';
import type { ClientIdentity, OAuthEndpoint } from './oauth.ts';
import {
  type ClientAuthMethod,
  DEFAULT_MIN_REMAINING_MS,
  DEFAULT_TIMEOUT_MS,
  MIN_REMAINING_FLOOR_MS,
  type OAuthClientOptions,
  type Provided,
  TOKEN_CLIENT_OPTIONS,
  type TokenClientOptions,
} from './options.ts';
import { readPrivateKey } from './private-key.ts';

/** Those of the standards (RFC 6749, 7523, 7662, 8693), which are sent by what asks. */
const OWN_PARAMETERS: readonly string[] = [
  'grant_type',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'scope',
  'audience',
  'resource',
  'assertion',
  'refresh_token',
  'token',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
  'requested_token_type',
];

/** What every kind of token client works with; checked and complete. */
export interface TokenClientSettings {
  readonly name: string;
  readonly endpoint: OAuthEndpoint;
  /** Of every request: scope, audience, resource, and what was given besides. */
  readonly parameters: readonly (readonly [string, string])[];
  readonly minRemainingMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** What is asked for, in words. */
  readonly wanted: string;
}

/** Checks the options that all kinds have. `more` names those of one kind. */
export function tokenClientSettings(options: TokenClientOptions, more: readonly string[] = []): TokenClientSettings {
  assertKnownOptions('', options, [...TOKEN_CLIENT_OPTIONS, ...more]);
  const { minRemainingMs = DEFAULT_MIN_REMAINING_MS, dpop, random = systemRandom, tokenUrl } = options;
  assertDurationMs('minRemainingMs', minRemainingMs, { min: MIN_REMAINING_FLOOR_MS });
  assertFunction('random', random);
  if (dpop !== undefined && !isDpopKey(dpop))
    throw new OptionsError('dpop', withheld(dpop), 'a key of createDpopKey()');
  const endpoint = { ...oauthEndpoint('tokenUrl', tokenUrl, options), dpop };
  const { name = endpoint.url.host } = options;
  assertText('name', name);
  const scope = textsOf('scope', options.scope).join(' ');
  const audience = textsOf('audience', options.audience);
  const resource = textsOf('resource', options.resource);
  return {
    name,
    endpoint,
    parameters: [
      ...Object.entries(endpoint.parameters),
      ...(scope === '' ? [] : [['scope', scope] as const]),
      ...audience.map((one) => ['audience', one] as const),
      ...resource.map((one) => ['resource', one] as const),
    ],
    minRemainingMs,
    clock: endpoint.clock,
    random,
    wanted: [
      scope === '' ? 'the usual scope' : `scope ${scope}`,
      ...(audience.length + resource.length === 0 ? [] : [`for ${[...audience, ...resource].join(', ')}`]),
    ].join(' '),
  };
}

/** Checks what says where to ask and who asks. */
export function oauthEndpoint(path: string, url: unknown, options: OAuthClientOptions): OAuthEndpoint {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock, parameters = {}, assertionAudience } = options;
  const { fetch = globalThis.fetch as FetchLike } = options;
  const checked = endpointUrl(path, url);
  assertDurationMs('timeoutMs', timeoutMs);
  assertClock('clock', clock);
  assertFunction('fetch', fetch);
  assertObject('parameters', parameters);
  for (const [name, value] of Object.entries(parameters)) {
    if (OWN_PARAMETERS.includes(name)) {
      // Of a parameter given twice nobody knows which one a server takes (RFC 6749 section 3.2).
      throw new OptionsError(`parameters.${name}`, withheld(value), 'left out: it is sent anyway, or has an option');
    }
    assertText(`parameters.${name}`, value);
  }
  if (assertionAudience !== undefined) assertText('assertionAudience', assertionAudience);
  return {
    url: checked,
    client: clientIdentity(options),
    assertionAudience: assertionAudience ?? checked.href,
    parameters: { ...parameters },
    fetch,
    timeoutMs,
    clock,
    dpop: undefined,
  };
}

/**
 * Who asks. An empty or missing secret is refused, since a request without one would go out as that of a public client,
 * and some servers answer it.
 */
function clientIdentity(options: OAuthClientOptions): ClientIdentity {
  const { clientId, clientSecret, privateKey, clientAuth } = options;
  if (clientAuth !== undefined) {
    assertOneOf('clientAuth', clientAuth, [
      'client_secret_basic',
      'client_secret_post',
      'tls_client_auth',
      'none',
    ] satisfies ClientAuthMethod[]);
  }
  assertText('clientId', clientId);
  if (privateKey !== undefined) {
    if (clientSecret !== undefined)
      throw new OptionsError('clientSecret', withheld(clientSecret), 'left out where privateKey is given');
    if (clientAuth !== undefined)
      throw new OptionsError('clientAuth', clientAuth, 'left out where privateKey is given');
    return { id: clientId, method: 'private_key_jwt', key: readPrivateKey('privateKey', privateKey) };
  }
  if (clientSecret !== undefined) {
    assertProvided('clientSecret', clientSecret);
    const method = clientAuth ?? 'client_secret_basic';
    if (method === 'client_secret_basic' || method === 'client_secret_post')
      return { id: clientId, method, secret: clientSecret };
    throw new OptionsError('clientSecret', withheld(clientSecret), `left out where clientAuth is ${method}`);
  }
  if (clientAuth === 'tls_client_auth' || clientAuth === 'none') return { id: clientId, method: clientAuth };
  throw new OptionsError(
    'clientSecret',
    clientSecret,
    'given, or privateKey, or clientAuth "tls_client_auth" or "none"',
  );
}

/** The value stays out of the message. */
export function assertProvided(path: string, value: unknown): asserts value is Provided {
  if (typeof value === 'function' || (typeof value === 'string' && value !== '')) return;
  throw new OptionsError(path, withheld(value), 'a text that is not empty, or a function that gives one');
}

function textsOf(path: string, value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const texts = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(texts)) throw new OptionsError(path, value, 'a text or a list of texts');
  for (const [at, one] of texts.entries()) assertText(typeof value === 'string' ? path : `${path}[${at}]`, one);
  return texts as readonly string[];
}
