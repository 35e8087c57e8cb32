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
import { parsePrivateKey } from './private-key.ts';

/** Parameters that the standards define (RFC 6749, 7523, 7662, 8693) and this library sends itself. */
const RESERVED_PARAMETERS: readonly string[] = [
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

/** The options that all token clients have in common, validated and with defaults. */
export interface TokenClientSettings {
  readonly name: string;
  readonly endpoint: OAuthEndpoint;
  /** Parameters of every request: scope, audience, resource, and the option `parameters`. */
  readonly parameters: readonly (readonly [string, string])[];
  readonly minRemainingMs: number;
  readonly clock: Clock;
  readonly random: Random;
  /** The requested scope and audience, for `describe()`. */
  readonly requested: string;
}

/** Validates the options that all token clients have. `grantOptions` are the names of the options of one grant. */
export function tokenClientSettings(
  options: TokenClientOptions,
  grantOptions: readonly string[] = [],
): TokenClientSettings {
  assertKnownOptions('', options, [...TOKEN_CLIENT_OPTIONS, ...grantOptions]);
  const { minRemainingMs = DEFAULT_MIN_REMAINING_MS, dpop, random = systemRandom, tokenUrl } = options;
  assertDurationMs('minRemainingMs', minRemainingMs, { min: MIN_REMAINING_FLOOR_MS });
  assertFunction('random', random);
  if (dpop !== undefined && !isDpopKey(dpop))
    throw new OptionsError('dpop', withheld(dpop), 'a key of createDpopKey()');
  const endpoint = { ...oauthEndpoint('tokenUrl', tokenUrl, options), dpop };
  const { name = endpoint.url.host } = options;
  assertText('name', name);
  const scope = stringList('scope', options.scope).join(' ');
  const audience = stringList('audience', options.audience);
  const resource = stringList('resource', options.resource);
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
    requested: [
      scope === '' ? 'the default scope' : `scope ${scope}`,
      ...(audience.length + resource.length === 0 ? [] : [`for ${[...audience, ...resource].join(', ')}`]),
    ].join(' '),
  };
}

/** Validates the options of an endpoint and its client. */
export function oauthEndpoint(path: string, url: unknown, options: OAuthClientOptions): OAuthEndpoint {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock, parameters = {}, assertionAudience } = options;
  const { fetch = globalThis.fetch as FetchLike } = options;
  const validUrl = endpointUrl(path, url);
  assertDurationMs('timeoutMs', timeoutMs);
  assertClock('clock', clock);
  assertFunction('fetch', fetch);
  assertObject('parameters', parameters);
  for (const [name, value] of Object.entries(parameters)) {
    if (RESERVED_PARAMETERS.includes(name)) {
      // A parameter must not be sent twice (RFC 6749 section 3.2): it is undefined which one a server takes.
      throw new OptionsError(
        `parameters.${name}`,
        withheld(value),
        'left out: it is sent automatically or has an option of its own',
      );
    }
    assertText(`parameters.${name}`, value);
  }
  if (assertionAudience !== undefined) assertText('assertionAudience', assertionAudience);
  return {
    url: validUrl,
    client: clientIdentity(options),
    assertionAudience: assertionAudience ?? validUrl.href,
    parameters: { ...parameters },
    fetch,
    timeoutMs,
    clock,
    dpop: undefined,
  };
}

/**
 * How the client authenticates. An empty or missing secret is rejected: the request would be sent as that of a public
 * client, which some servers accept.
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
    return { id: clientId, method: 'private_key_jwt', key: parsePrivateKey('privateKey', privateKey) };
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

/** @throws OptionsError, which does not contain the value */
export function assertProvided(path: string, value: unknown): asserts value is Provided {
  if (typeof value === 'function' || (typeof value === 'string' && value !== '')) return;
  throw new OptionsError(path, withheld(value), 'a text that is not empty, or a function that gives one');
}

function stringList(path: string, value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const values = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(values)) throw new OptionsError(path, value, 'a text or a list of texts');
  for (const [at, one] of values.entries()) assertText(typeof value === 'string' ? path : `${path}[${at}]`, one);
  return values as readonly string[];
}
