// Verifies a JWT in the order of cost: parse, select the issuer by its claim, check the header, verify the signature with a
// key of that issuer, then check the claims. Accepted tokens are cached; what can change between two requests (times, the
// key set, revocation, the binding to a key) is checked on every request.
import { currentWork } from '@macadam/core';
import { authAnnotation } from '../annotate-auth.ts';
import { TokenError, type TokenReason } from '../errors.ts';
import { settleCallback } from '../with-timeout.ts';
import { checkBinding } from './binding.ts';
import { checkAudience, checkTokenTimes, readTokenTimes, type TokenTimes } from './claims.ts';
import { type CompactJwt, HeaderCache, parseCompactJwt } from './compact.ts';
import { type JsonObject, own } from './strict-json.ts';
import type { JwtVerifier, JwtVerifierStats, VerifyOptions, VerifyTokenOptions } from './jwt-verifier.ts';
import { rejectUnsupportedHeaders, type KeyReference, readKeyReference } from './jose-header.ts';
import type { VerificationKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';
import { type Principal, principalOf } from './principal.ts';
import { checkProfile, checkType, PROFILES } from './profiles.ts';
import type { IssuerRules, VerifierSettings } from './settings.ts';
import { verifySignature } from './signature.ts';
import { trustDomainOf } from './spiffe.ts';
import { tokenDigest, TokenCache } from './token-cache.ts';

/** The rules and keys of an issuer. */
export interface Issuer {
  readonly rules: IssuerRules;
  readonly keys: KeySource;
}

/** The cached result for a token that was accepted. */
interface AcceptedToken {
  readonly principal: Principal;
  readonly issuer: Issuer;
  readonly times: TokenTimes;
  readonly kid: string | undefined;
  readonly key: VerificationKey;
  /** Whether it has `cnf`: only the holder of a key may use it. */
  readonly isBound: boolean;
  /** For the canonical log line; created when the first unit of work needs it. */
  annotation: Readonly<Record<string, unknown>> | undefined;
}

/** A token before its signature is verified: the issuer it claims and the key it refers to. */
interface ParsedToken extends KeyReference {
  readonly jwt: CompactJwt;
  readonly issuer: Issuer;
}

/** Approximate size of a cached token per character: its claims as objects, and the principal. */
const BYTES_PER_CHARACTER = 4;

/** Verifies the tokens of its issuers. Created by `createJwtVerifier` and `createHmacJwtVerifier`. */
export class Verifier implements JwtVerifier {
  readonly #settings: VerifierSettings;
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #cache: TokenCache<AcceptedToken> | undefined;
  readonly #headers = new HeaderCache();
  #accepted = 0;
  #hits = 0;
  #misses = 0;
  readonly #refused: Partial<Record<TokenReason, number>> = {};

  constructor(settings: VerifierSettings, issuers: readonly Issuer[]) {
    this.#settings = settings;
    this.#issuers = new Map(issuers.map((issuer) => [issuer.rules.issuer, issuer]));
    this.#cache = settings.cache && new TokenCache(settings.cache);
  }

  verify(token: string, options: VerifyTokenOptions = {}): Promise<Principal> {
    try {
      const cacheKey = this.#cacheKey(token);
      const accepted = this.#fromCache(cacheKey) ?? this.#verify(token, cacheKey, options.signal);
      if (accepted instanceof Promise || this.#settings.isRevoked !== undefined) return this.#finish(accepted, options);
      if (accepted.isBound) checkBinding(accepted.principal.claims, options, accepted.principal.issuer);
      // Fast path: everything was synchronous, so no async function with its own promise is needed.
      return Promise.resolve(this.#countAccepted(accepted));
    } catch (error) {
      return Promise.reject(this.#countRejected(error));
    }
  }

  async ready({ signal }: VerifyOptions = {}): Promise<void> {
    await Promise.all([...this.#issuers.values()].map(({ keys }) => keys.ready(signal)));
  }

  describe(): string {
    const lines = [...this.#issuers.values()].map(({ rules }) => {
      const { issuer, profile, audiences, algorithms } = rules;
      return `${profile} tokens of ${issuer} for ${audiences.join(' or ')}, signed with ${algorithms.join(' or ')}`;
    });
    const { cache, clockToleranceMs } = this.#settings;
    const cacheText = cache === undefined ? 'caches none' : `caches ${cache.maxEntries} for ${cache.maxAgeMs} ms`;
    return `accepts ${lines.join('; ')}; clocks may differ by ${clockToleranceMs} ms; ${cacheText}`;
  }

  stats(): JwtVerifierStats {
    return {
      accepted: this.#accepted,
      refused: { ...this.#refused },
      cache: {
        hits: this.#hits,
        misses: this.#misses,
        entries: this.#cache?.size ?? 0,
        bytes: this.#cache?.bytes ?? 0,
      },
      keys: Object.fromEntries([...this.#issuers].map(([issuer, { keys }]) => [issuer, keys.stats()])),
    };
  }

  close(): Promise<void> {
    for (const { keys } of this.#issuers.values()) keys.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The cache key of a token; `undefined` when it is not cached. */
  #cacheKey(token: string): string | undefined {
    const { cache, maxTokenLength } = this.#settings;
    if (cache === undefined || typeof token !== 'string' || token.length > maxTokenLength) return undefined;
    return tokenDigest(token);
  }

  /** The cached result, if verifying the token again would give the same one now. */
  #fromCache(cacheKey: string | undefined): AcceptedToken | undefined {
    if (cacheKey === undefined) return undefined;
    const { clock, clockToleranceMs } = this.#settings;
    const found = this.#cache?.get(cacheKey, clock.monotonic());
    // The lookup must still return the same key: it was neither withdrawn nor replaced.
    if (found === undefined || found.issuer.keys.peek(found.kid, found.principal.algorithm) !== found.key) {
      this.#misses++;
      return undefined;
    }
    const { issuer, maxTokenAgeMs } = found.issuer.rules;
    checkTokenTimes(found.times, clock.now(), { clockToleranceMs, maxTokenAgeMs, issuer });
    this.#hits++;
    return found;
  }

  #verify(
    token: string,
    cacheKey: string | undefined,
    signal: AbortSignal | undefined,
  ): AcceptedToken | Promise<AcceptedToken> {
    const parsed = this.#parse(token);
    const { keys, rules } = parsed.issuer;
    const key = verifySignature(token, parsed, keys, rules.issuer, signal);
    return key instanceof Promise
      ? key.then((found) => this.#validateClaims(parsed, found, cacheKey, token.length))
      : this.#validateClaims(parsed, key, cacheKey, token.length);
  }

  async #finish(pending: AcceptedToken | Promise<AcceptedToken>, options: VerifyTokenOptions): Promise<Principal> {
    try {
      const accepted = await pending;
      if (accepted.isBound) checkBinding(accepted.principal.claims, options, accepted.principal.issuer);
      if (this.#settings.isRevoked !== undefined) await this.#checkRevoked(accepted.principal);
      return this.#countAccepted(accepted);
    } catch (error) {
      throw this.#countRejected(error);
    }
  }

  #countAccepted(accepted: AcceptedToken): Principal {
    const { principal } = accepted;
    this.#accepted++;
    currentWork()?.annotate((accepted.annotation ??= annotationOf(principal)));
    return principal;
  }

  /** Counts a rejected token by its reason, and returns the error. */
  #countRejected(error: unknown): Error {
    if (error instanceof TokenError) this.#refused[error.reason] = (this.#refused[error.reason] ?? 0) + 1;
    return error as Error;
  }

  /** All checks that need no signature. */
  #parse(token: string): ParsedToken {
    if (typeof token !== 'string') throw new TokenError('malformed');
    if (token.length > this.#settings.maxTokenLength) throw new TokenError('tooLarge');
    const jwt = parseCompactJwt(token, this.#headers);
    const { header, payload } = jwt;
    rejectUnsupportedHeaders(header);
    const issuer = this.#selectIssuer(payload);
    const { rules } = issuer;
    const { algorithm, kid } = readKeyReference(header, rules.algorithms, rules.issuer);
    checkType(header, rules.profile, rules);
    return { jwt, issuer, algorithm, kid };
  }

  /** The signature is valid: checks times, audience and the claims of the profile, and caches the result. */
  #validateClaims(
    { jwt, issuer, algorithm, kid }: ParsedToken,
    key: VerificationKey,
    cacheKey: string | undefined,
    length: number,
  ): AcceptedToken {
    const { clock, clockToleranceMs } = this.#settings;
    const { issuer: name, profile, maxTokenAgeMs, audiences } = issuer.rules;
    const { payload } = jwt;
    this.#headers.add(jwt);
    const times = readTokenTimes(payload, PROFILES[profile].requiresIat || maxTokenAgeMs !== undefined, name);
    checkTokenTimes(times, clock.now(), { clockToleranceMs, maxTokenAgeMs, issuer: name });
    const audience = checkAudience(payload, audiences, name);
    checkProfile(payload, profile, issuer.rules);
    const { expiresAtMs } = times;
    const principal = principalOf({ issuer: name, audience, expiresAtMs, algorithm, kid, profile, payload });
    // Through own(): with a direct access, the optimized code would depend on the hidden class of these claims and be
    // discarded when that is collected.
    const isBound = own(payload, 'cnf') !== undefined;
    const accepted: AcceptedToken = { principal, issuer, times, kid, key, isBound, annotation: undefined };
    if (cacheKey !== undefined) this.#cache?.set(cacheKey, accepted, length * BYTES_PER_CHARACTER, clock.monotonic());
    return accepted;
  }

  /** Selects the issuer by an unverified claim. Its keys then have to verify the token, so a false claim is rejected. */
  #selectIssuer(payload: JsonObject): Issuer {
    const iss = own(payload, 'iss');
    const byIss = typeof iss === 'string' ? this.#issuers.get(iss) : undefined;
    if (byIss !== undefined && PROFILES[byIss.rules.profile].issuerClaim === 'iss') return byIss;
    const trustDomain = trustDomainOf(own(payload, 'sub'));
    const byDomain = trustDomain === undefined ? undefined : this.#issuers.get(trustDomain);
    if (byDomain !== undefined && PROFILES[byDomain.rules.profile].issuerClaim === 'sub') return byDomain;
    throw new TokenError('issuer', { claim: 'iss' });
  }

  async #checkRevoked(principal: Principal): Promise<void> {
    let revoked: boolean;
    try {
      revoked = await settleCallback(this.#settings.isRevoked!(principal), this.#settings.clock);
    } catch (cause) {
      throw new TokenError('revocationUnknown', { issuer: principal.issuer, cause });
    }
    // Anything but `false` rejects the token: a callback that forgets to return must not accept it.
    if (revoked !== false) throw new TokenError('revoked', { issuer: principal.issuer });
  }
}

function annotationOf({ issuer, subject, kid }: Principal): Readonly<Record<string, unknown>> {
  return authAnnotation('jwt', { issuer, principal: subject, keyId: kid });
}
