import {
  abortable,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertText,
  type Clock,
  ClosedError,
  OptionsError,
  runDetached,
  systemRandom,
  underPath,
} from '@macadam/core';
import { annotateAuth } from '../annotate-auth.ts';
import { TokenError, type TokenReason } from '../errors.ts';
import { observeVerifier } from '../instruments.ts';
import { checkBinding } from '../jwt/binding.ts';
import type { VerifyTokenOptions } from '../jwt/jwt-verifier.ts';
import type { JsonObject } from '../jwt/strict-json.ts';
import { DEFAULT_CLOCK_TOLERANCE_MS, DEFAULT_TOKEN_LENGTH, MAX_CLOCK_TOLERANCE_MS } from '../jwt/options.ts';
import { tokenDigest, TokenCache } from '../jwt/token-cache.ts';
import { nameOf, type OAuthEndpoint } from '../tokens/oauth.ts';
import { OAUTH_CLIENT_OPTIONS } from '../tokens/options.ts';
import { oauthEndpoint } from '../tokens/settings.ts';
import { IntrospectionEndpoint } from './introspection-endpoint.ts';
import { cacheSettings, type IntrospectionCacheOptions, type IntrospectorOptions } from './options.ts';
import {
  checkTimes,
  type IntrospectedToken,
  type IntrospectionRules,
  validateIntrospectionResponse,
} from './introspection-response.ts';

/** What an {@link Introspector} has counted. */
export interface IntrospectorStats {
  /** Tokens accepted, including those from the cache. */
  readonly accepted: number;
  /** Tokens rejected, by reason. */
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
  /** Requests sent. */
  readonly requests: number;
  /** What its cache has counted. */
  readonly cache: {
    /** Verifications answered from the cache. */
    readonly hits: number;
    /** Verifications not answered from the cache. */
    readonly misses: number;
    /** Responses in the cache now. */
    readonly entries: number;
  };
}

/** Verifies tokens by asking their issuer. Created by {@link createIntrospector}. */
export interface Introspector extends AsyncDisposable {
  /**
   * Verifies a token, without `Bearer`, and returns its principal.
   * @throws TokenError (`MAC_TOKEN_INVALID`), and the reason of the signal
   */
  verify(token: string, options?: VerifyTokenOptions): Promise<IntrospectedToken>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): IntrospectorStats;
  /** Cancels requests in flight. Tokens in the cache are still verified. */
  close(): Promise<void>;
}

/** The result of an introspection; both kinds are cached. */
type Outcome = IntrospectedToken | TokenError;

/** Nominal size of a cached response. The number of entries is the actual limit of the cache. */
const RESPONSE_BYTES = 4_096;

/**
 * Creates a verifier that asks the issuer about each token (RFC 7662), for opaque tokens. Concurrent verifications of a
 * token share one request. Without a response no token is accepted.
 *
 * A circuit breaker stops the requests for 1 second, doubling up to 30, when half of at least 20 requests in 30 seconds
 * have failed, or 5 in a row; a `Retry-After` is followed for up to a minute.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { createIntrospector } from '@macadam/auth';
 *
 * const tokens = createIntrospector({
 *   introspectionUrl: 'https://login.example.com/introspect',
 *   clientId: 'orders',
 *   clientSecret: () => process.env['CLIENT_SECRET'] ?? '',
 *   audience: 'https://orders.example.com',
 * });
 * console.log(tokens.describe());
 * ```
 */
export function createIntrospector(options: IntrospectorOptions): Introspector {
  assertObject('createIntrospector', options);
  return underPath('createIntrospector', () => makeIntrospector(options));
}

function makeIntrospector(options: IntrospectorOptions): Introspector {
  const ownOptions = ['introspectionUrl', 'name', 'issuer', 'audience', 'clockToleranceMs', 'cache', 'random'];
  assertKnownOptions('', options, [...OAUTH_CLIENT_OPTIONS, ...ownOptions]);
  const { introspectionUrl, issuer, audience, clockToleranceMs = DEFAULT_CLOCK_TOLERANCE_MS } = options;
  const endpoint = oauthEndpoint('introspectionUrl', introspectionUrl, options);
  const { name = endpoint.url.host, random = systemRandom } = options;
  assertText('name', name);
  assertFunction('random', random);
  if (issuer !== undefined) assertText('issuer', issuer);
  const audiences = typeof audience === 'string' ? [audience] : audience;
  if (!Array.isArray(audiences)) throw new OptionsError('audience', audience, 'a text, or a list of texts');
  for (const [at, one] of audiences.entries()) assertText(`audience[${at}]`, one);
  assertDurationMs('clockToleranceMs', clockToleranceMs, { min: 0, max: MAX_CLOCK_TOLERANCE_MS });
  const rules = { issuer, audiences: [...audiences] as string[], clockToleranceMs };
  const introspectionEndpoint = new IntrospectionEndpoint(endpoint, name, random);
  const introspector = new EndpointIntrospector(endpoint, introspectionEndpoint, rules, cacheSettings(options.cache));
  observeVerifier(name, introspector);
  return introspector;
}

class EndpointIntrospector implements Introspector {
  readonly #endpoint: OAuthEndpoint;
  readonly #introspectionEndpoint: IntrospectionEndpoint;
  readonly #rules: IntrospectionRules;
  readonly #cacheOptions: Required<IntrospectionCacheOptions> | undefined;
  /** Separate from the inactive ones, so that made-up tokens cannot evict valid ones. */
  readonly #active: TokenCache<Outcome> | undefined;
  readonly #inactive: TokenCache<Outcome> | undefined;
  readonly #inFlight = new Map<string, Promise<Outcome>>();
  readonly #closing = new AbortController();
  #accepted = 0;
  #hits = 0;
  #misses = 0;
  readonly #refused: Partial<Record<TokenReason, number>> = {};

  constructor(
    endpoint: OAuthEndpoint,
    introspectionEndpoint: IntrospectionEndpoint,
    rules: IntrospectionRules,
    cacheOptions: Required<IntrospectionCacheOptions> | undefined,
  ) {
    this.#endpoint = endpoint;
    this.#introspectionEndpoint = introspectionEndpoint;
    this.#rules = rules;
    this.#cacheOptions = cacheOptions;
    if (cacheOptions === undefined) return;
    const { maxEntries, activeTtlMs, inactiveTtlMs } = cacheOptions;
    const sizes = { maxEntries, maxBytes: maxEntries * RESPONSE_BYTES, admitWhenFull: 'always' } as const;
    this.#active = new TokenCache({ ...sizes, maxAgeMs: activeTtlMs });
    this.#inactive = new TokenCache({ ...sizes, maxAgeMs: inactiveTtlMs });
  }

  get #clock(): Clock {
    return this.#endpoint.clock;
  }

  async verify(token: string, options: VerifyTokenOptions = {}): Promise<IntrospectedToken> {
    try {
      const found = await this.#outcomeOf(token, options.signal);
      checkBinding(found.claims, options, this.#rules.issuer);
      this.#accepted++;
      annotateAuth('introspection', { issuer: found.issuer, principal: found.subject ?? found.clientId });
      return found;
    } catch (error) {
      if (error instanceof TokenError) this.#refused[error.reason] = (this.#refused[error.reason] ?? 0) + 1;
      throw error;
    }
  }

  describe(): string {
    const { client } = this.#endpoint;
    const cacheOptions = this.#cacheOptions;
    const cached =
      cacheOptions === undefined
        ? 'caches nothing'
        : `caches ${cacheOptions.maxEntries} active ones for ${cacheOptions.activeTtlMs} ms, inactive ones for ${cacheOptions.inactiveTtlMs} ms`;
    return `introspects tokens at ${nameOf(this.#endpoint)}, as ${client.id} (${client.method}); ${cached}`;
  }

  stats(): IntrospectorStats {
    const entries = (this.#active?.size ?? 0) + (this.#inactive?.size ?? 0);
    return {
      accepted: this.#accepted,
      refused: { ...this.#refused },
      requests: this.#introspectionEndpoint.requests,
      cache: { hits: this.#hits, misses: this.#misses, entries },
    };
  }

  close(): Promise<void> {
    this.#closing.abort(new ClosedError(`Introspector of ${nameOf(this.#endpoint)}`));
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #outcomeOf(token: string, signal: AbortSignal | undefined): Promise<IntrospectedToken> {
    // Access tokens are printable ASCII (RFC 6749 appendix A.12); anything else is rejected without a request.
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new TokenError('malformed');
    if (token.length > DEFAULT_TOKEN_LENGTH) throw new TokenError('tooLarge');
    const key = tokenDigest(token);
    const now = this.#clock.monotonic();
    const known = this.#active?.get(key, now) ?? this.#inactive?.get(key, now);
    if (known === undefined) this.#misses++;
    else this.#hits++;
    const outcome = known ?? (await abortable(this.#sharedRequest(key, token), signal));
    if (outcome instanceof TokenError) throw outcome;
    const { issuer, clockToleranceMs } = this.#rules;
    const names = issuer === undefined ? {} : { issuer };
    checkTimes(outcome.expiresAtMs, undefined, clockToleranceMs, this.#clock.now(), names);
    return outcome;
  }

  /** The request in flight about this token, or a new one. It runs detached, so no caller can cancel it. */
  #sharedRequest(key: string, token: string): Promise<Outcome> {
    let request = this.#inFlight.get(key);
    if (request === undefined) {
      request = runDetached(() => this.#request(key, token)).finally(() => this.#inFlight.delete(key));
      this.#inFlight.set(key, request);
    }
    return request;
  }

  async #request(key: string, token: string): Promise<Outcome> {
    const requestedAt = this.#clock.monotonic();
    const { issuer } = this.#rules;
    let response: JsonObject;
    try {
      response = await this.#introspectionEndpoint.introspect(token, this.#closing.signal);
    } catch (cause) {
      throw new TokenError('introspectionUnavailable', { cause, issuer });
    }
    const outcome = this.#validate(response);
    const cache = outcome instanceof TokenError ? this.#inactive : this.#active;
    cache?.set(key, outcome, RESPONSE_BYTES, requestedAt);
    return outcome;
  }

  #validate(response: JsonObject): Outcome {
    try {
      return validateIntrospectionResponse(response, this.#rules, this.#clock.now());
    } catch (error) {
      if (error instanceof TokenError) return error;
      throw error;
    }
  }
}
