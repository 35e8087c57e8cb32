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
import { digestOf, TokenCache } from '../jwt/token-cache.ts';
import { nameOf, type OAuthEndpoint } from '../tokens/oauth.ts';
import { OAUTH_CLIENT_OPTIONS } from '../tokens/options.ts';
import { oauthEndpoint } from '../tokens/settings.ts';
import { GuardedEndpoint } from './guarded-endpoint.ts';
import { cacheOf, type IntrospectionCacheOptions, type IntrospectorOptions } from './options.ts';
import { checkTimes, type IntrospectedToken, type IntrospectionRules, readAnswer } from './introspection-answer.ts';

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

type Verdict = IntrospectedToken | TokenError;

/** Bytes an answer may take in the memory; there is a bound on their number, this one is for the unusual. */
const ANSWER_BYTES = 4_096;

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
  const own = ['introspectionUrl', 'name', 'issuer', 'audience', 'clockToleranceMs', 'cache', 'random'];
  assertKnownOptions('', options, [...OAUTH_CLIENT_OPTIONS, ...own]);
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
  const guarded = new GuardedEndpoint(endpoint, name, random);
  const introspector = new EndpointIntrospector(endpoint, guarded, rules, cacheOf(options.cache));
  observeVerifier(name, introspector);
  return introspector;
}

class EndpointIntrospector implements Introspector {
  readonly #endpoint: OAuthEndpoint;
  readonly #guarded: GuardedEndpoint;
  readonly #rules: IntrospectionRules;
  readonly #bounds: Required<IntrospectionCacheOptions> | undefined;
  /** Apart, so that made-up tokens push no good one out. */
  readonly #active: TokenCache<Verdict> | undefined;
  readonly #inactive: TokenCache<Verdict> | undefined;
  readonly #flights = new Map<string, Promise<Verdict>>();
  readonly #closing = new AbortController();
  #accepted = 0;
  #hits = 0;
  #misses = 0;
  readonly #refused: Partial<Record<TokenReason, number>> = {};

  constructor(
    endpoint: OAuthEndpoint,
    guarded: GuardedEndpoint,
    rules: IntrospectionRules,
    bounds: Required<IntrospectionCacheOptions> | undefined,
  ) {
    this.#endpoint = endpoint;
    this.#guarded = guarded;
    this.#rules = rules;
    this.#bounds = bounds;
    if (bounds === undefined) return;
    const { maxEntries, activeTtlMs, inactiveTtlMs } = bounds;
    const sizes = { maxEntries, maxBytes: maxEntries * ANSWER_BYTES, whenFull: 'take' } as const;
    this.#active = new TokenCache({ ...sizes, maxAgeMs: activeTtlMs });
    this.#inactive = new TokenCache({ ...sizes, maxAgeMs: inactiveTtlMs });
  }

  get #clock(): Clock {
    return this.#endpoint.clock;
  }

  async verify(token: string, options: VerifyTokenOptions = {}): Promise<IntrospectedToken> {
    try {
      const found = await this.#verdict(token, options.signal);
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
    const bounds = this.#bounds;
    const memory =
      bounds === undefined
        ? 'remembers nothing'
        : `remembers ${bounds.maxEntries} active ones for ${bounds.activeTtlMs} ms, inactive ones for ${bounds.inactiveTtlMs} ms`;
    return `asks ${nameOf(this.#endpoint)} about tokens, as ${client.id} (${client.method}); ${memory}`;
  }

  stats(): IntrospectorStats {
    const entries = (this.#active?.size ?? 0) + (this.#inactive?.size ?? 0);
    return {
      accepted: this.#accepted,
      refused: { ...this.#refused },
      requests: this.#guarded.requests,
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

  async #verdict(token: string, signal: AbortSignal | undefined): Promise<IntrospectedToken> {
    // Nothing else can be sent in a request, so nothing else is asked about.
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw new TokenError('malformed');
    if (token.length > DEFAULT_TOKEN_LENGTH) throw new TokenError('tooLarge');
    const key = digestOf(token);
    const now = this.#clock.monotonic();
    const known = this.#active?.get(key, now) ?? this.#inactive?.get(key, now);
    if (known === undefined) this.#misses++;
    else this.#hits++;
    const verdict = known ?? (await abortable(this.#flight(key, token), signal));
    if (verdict instanceof TokenError) throw verdict;
    const { issuer, clockToleranceMs } = this.#rules;
    const names = issuer === undefined ? {} : { issuer };
    checkTimes(verdict.expiresAtMs, undefined, clockToleranceMs, this.#clock.now(), names);
    return verdict;
  }

  /** The request about this token that is going on, or a new one. It belongs to nobody. */
  #flight(key: string, token: string): Promise<Verdict> {
    let flight = this.#flights.get(key);
    if (flight === undefined) {
      flight = runDetached(() => this.#ask(key, token)).finally(() => this.#flights.delete(key));
      this.#flights.set(key, flight);
    }
    return flight;
  }

  async #ask(key: string, token: string): Promise<Verdict> {
    const askedAt = this.#clock.monotonic();
    const { issuer } = this.#rules;
    let answer: JsonObject;
    try {
      answer = await this.#guarded.ask(token, this.#closing.signal);
    } catch (cause) {
      throw new TokenError('introspectionUnavailable', { cause, issuer });
    }
    const verdict = this.#judge(answer);
    const cache = verdict instanceof TokenError ? this.#inactive : this.#active;
    cache?.set(key, verdict, ANSWER_BYTES, askedAt);
    return verdict;
  }

  #judge(answer: JsonObject): Verdict {
    try {
      return readAnswer(answer, this.#rules, this.#clock.now());
    } catch (error) {
      if (error instanceof TokenError) return error;
      throw error;
    }
  }
}
