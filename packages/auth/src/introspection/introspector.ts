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

/** Numbers of an {@link Introspector}. */
export interface IntrospectorStats {
  readonly accepted: number;
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
  /** Requests that were sent. */
  readonly requests: number;
  readonly cache: { readonly hits: number; readonly misses: number; readonly entries: number };
}

/** Asks the issuer about tokens. Made by {@link createIntrospector}. */
export interface Introspector extends AsyncDisposable {
  /**
   * Who the token speaks for. Takes the token alone, without `Bearer`.
   * @throws TokenError `MAC_TOKEN_INVALID`: `introspectionUnavailable` when the issuer does not answer, which refuses the
   * token and is `retryable`. Nothing else, but the reason of an aborted `signal`.
   */
  verify(token: string, options?: VerifyTokenOptions): Promise<IntrospectedToken>;
  /** Whom it asks and what it remembers, in words. */
  describe(): string;
  stats(): IntrospectorStats;
  /** Cancels what is going on. */
  close(): Promise<void>;
}

type Verdict = IntrospectedToken | TokenError;

/** Bytes an answer may take in the memory; there is a bound on their number, this one is for the unusual. */
const ANSWER_BYTES = 4_096;

/**
 * Verifies tokens by asking their issuer (RFC 7662), for those that say nothing by themselves. All who bring a token at
 * once wait for one request. Without an answer no token is accepted.
 *
 * An endpoint that is down is left alone, for a second at first and up to 30, or as long as it says in `Retry-After`, up to a
 * minute: it is when half of 20 requests or more in 30 seconds have failed, or 5 in a row.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows a secret.
 */
export function createIntrospector(options: IntrospectorOptions): Introspector {
  assertObject('options', options);
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
    this.#active = new TokenCache({
      maxEntries,
      maxBytes: maxEntries * ANSWER_BYTES,
      maxAgeMs: activeTtlMs,
      whenFull: 'take',
    });
    this.#inactive = new TokenCache({
      maxEntries,
      maxBytes: maxEntries * ANSWER_BYTES,
      maxAgeMs: inactiveTtlMs,
      whenFull: 'take',
    });
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
