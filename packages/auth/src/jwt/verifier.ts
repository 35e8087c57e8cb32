import { currentWork } from '@macadam/core';
import { authAnnotation } from '../annotate-auth.ts';
import { TokenError, type TokenReason } from '../errors.ts';
import { answerOf } from '../fetch/within.ts';
import { checkBinding } from './binding.ts';
import { checkAudience, checkTimes, timesIn, type ValidityTimes } from './claims.ts';
import { type CompactToken, HeaderMemory, parseCompact } from './compact.ts';
import { type JsonObject, own } from './strict-json.ts';
import type { JwtVerifier, JwtVerifierStats, VerifyOptions, VerifyTokenOptions } from './jwt-verifier.ts';
import { checkExtensions, type NamedKey, namedIn } from './header-rules.ts';
import type { VerificationKey } from './key-set.ts';
import type { KeySource } from './key-source.ts';
import { type Principal, principalOf } from './principal.ts';
import { checkProfile, checkType, PROFILES } from './profiles.ts';
import type { IssuerRules, VerifierSettings } from './settings.ts';
import { verifyByName } from './signature.ts';
import { trustDomainOf } from './spiffe.ts';
import { digestOf, TokenCache } from './token-cache.ts';

/** An issuer's rules and its keys. */
export interface Issuer {
  readonly rules: IssuerRules;
  readonly keys: KeySource;
}

/** What is remembered of a token that passed. */
interface Accepted {
  readonly principal: Principal;
  readonly issuer: Issuer;
  readonly times: ValidityTimes;
  readonly kid: string | undefined;
  readonly key: VerificationKey;
  /** Whether it is for the holder of a key alone. */
  readonly bound: boolean;
  /** Made when there is a unit of work to tell. */
  annotation: Readonly<Record<string, unknown>> | undefined;
}

/** A token that claims to be of an issuer, and under which key. */
interface ClaimedToken extends NamedKey {
  readonly parsed: CompactToken;
  readonly issuer: Issuer;
}

/** A character of a token takes about this much in the cache: its claims as objects, and the principal. */
const BYTES_PER_CHARACTER = 4;

/** Verifies by the rules of its issuers. The public way to one is `createJwtVerifier`. */
export class Verifier implements JwtVerifier {
  readonly #settings: VerifierSettings;
  readonly #issuers: ReadonlyMap<string, Issuer>;
  readonly #cache: TokenCache<Accepted> | undefined;
  readonly #headers = new HeaderMemory();
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
      const digest = this.#digestOf(token);
      const accepted = this.#remembered(digest) ?? this.#verify(token, digest, options.signal);
      if (accepted instanceof Promise || this.#settings.isRevoked !== undefined)
        return this.#confirm(accepted, options);
      if (accepted.bound) checkBinding(accepted.principal.claims, options, accepted.principal.issuer);
      // Nothing to wait for, and so nothing to keep for the time after.
      return Promise.resolve(this.#recognised(accepted));
    } catch (error) {
      return Promise.reject(this.#refusal(error));
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
    const memory = cache === undefined ? 'remembers none' : `remembers ${cache.maxEntries} for ${cache.maxAgeMs} ms`;
    return `accepts ${lines.join('; ')}; clocks may differ by ${clockToleranceMs} ms; ${memory}`;
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

  /** What a token that may be in the cache is called there. */
  #digestOf(token: string): string | undefined {
    const { cache, maxTokenLength } = this.#settings;
    if (cache === undefined || typeof token !== 'string' || token.length > maxTokenLength) return undefined;
    return digestOf(token);
  }

  /** The cached answer, if verifying anew would surely give the same one at this instant. */
  #remembered(digest: string | undefined): Accepted | undefined {
    if (digest === undefined) return undefined;
    const { clock, clockToleranceMs } = this.#settings;
    const found = this.#cache?.get(digest, clock.monotonic());
    // The very key that verified it must be the one that would verify it now.
    if (found === undefined || found.issuer.keys.peek(found.kid, found.principal.algorithm) !== found.key) {
      this.#misses++;
      return undefined;
    }
    const { issuer, maxTokenAgeMs } = found.issuer.rules;
    checkTimes(found.times, clock.now(), { clockToleranceMs, maxTokenAgeMs, issuer });
    this.#hits++;
    return found;
  }

  #verify(token: string, digest: string | undefined, signal: AbortSignal | undefined): Accepted | Promise<Accepted> {
    const claimed = this.#read(token);
    const { keys, rules } = claimed.issuer;
    const key = verifyByName(token, claimed, keys, rules.issuer, signal);
    return key instanceof Promise
      ? key.then((found) => this.#accept(claimed, found, digest, token.length))
      : this.#accept(claimed, key, digest, token.length);
  }

  async #confirm(pending: Accepted | Promise<Accepted>, options: VerifyTokenOptions): Promise<Principal> {
    try {
      const accepted = await pending;
      if (accepted.bound) checkBinding(accepted.principal.claims, options, accepted.principal.issuer);
      if (this.#settings.isRevoked !== undefined) await this.#checkRevoked(accepted.principal);
      return this.#recognised(accepted);
    } catch (error) {
      throw this.#refusal(error);
    }
  }

  #recognised(accepted: Accepted): Principal {
    const { principal } = accepted;
    this.#accepted++;
    currentWork()?.annotate((accepted.annotation ??= annotationOf(principal)));
    return principal;
  }

  /** Counts what was refused. */
  #refusal(error: unknown): Error {
    if (error instanceof TokenError) this.#refused[error.reason] = (this.#refused[error.reason] ?? 0) + 1;
    return error as Error;
  }

  /** Everything that can be refused before a signature is looked at. */
  #read(token: string): ClaimedToken {
    if (typeof token !== 'string') throw new TokenError('malformed');
    if (token.length > this.#settings.maxTokenLength) throw new TokenError('tooLarge');
    const parsed = parseCompact(token, this.#headers);
    const { header, payload } = parsed;
    checkExtensions(header);
    const issuer = this.#issuerOf(payload);
    const { rules } = issuer;
    const { algorithm, kid } = namedIn(header, rules.algorithms, rules.issuer);
    checkType(header, rules.profile, rules);
    return { parsed, issuer, algorithm, kid };
  }

  /** The token is the issuer's: what is left is whether it is good now, and here. */
  #accept(claimed: ClaimedToken, key: VerificationKey, digest: string | undefined, length: number): Accepted {
    const { parsed, issuer, algorithm, kid } = claimed;
    const { clock, clockToleranceMs } = this.#settings;
    const { issuer: name, profile, maxTokenAgeMs, audiences } = issuer.rules;
    const { payload } = parsed;
    this.#headers.keep(parsed);
    const times = timesIn(payload, PROFILES[profile].issuedAt || maxTokenAgeMs !== undefined, name);
    checkTimes(times, clock.now(), { clockToleranceMs, maxTokenAgeMs, issuer: name });
    const audience = checkAudience(payload, audiences, name);
    checkProfile(payload, profile, issuer.rules);
    const { expiresAtMs } = times;
    const principal = principalOf({ issuer: name, audience, expiresAtMs, algorithm, kid, profile, payload });
    // By own(): asked in here, the machine code would rest on the layout of these claims, and be thrown away with it.
    const bound = own(payload, 'cnf') !== undefined;
    const accepted: Accepted = { principal, issuer, times, kid, key, bound, annotation: undefined };
    if (digest !== undefined) this.#cache?.set(digest, accepted, length * BYTES_PER_CHARACTER, clock.monotonic());
    return accepted;
  }

  /** By what the token claims; nothing is believed before that issuer's key has verified it. */
  #issuerOf(payload: JsonObject): Issuer {
    const claimed = own(payload, 'iss');
    const byName = typeof claimed === 'string' ? this.#issuers.get(claimed) : undefined;
    if (byName !== undefined && PROFILES[byName.rules.profile].identifiesIssuer === 'iss') return byName;
    const domain = trustDomainOf(own(payload, 'sub'));
    const byDomain = domain === undefined ? undefined : this.#issuers.get(domain);
    if (byDomain !== undefined && PROFILES[byDomain.rules.profile].identifiesIssuer === 'sub') return byDomain;
    throw new TokenError('issuer', { claim: 'iss' });
  }

  async #checkRevoked(principal: Principal): Promise<void> {
    let revoked: boolean;
    try {
      revoked = await answerOf(this.#settings.isRevoked!(principal), this.#settings.clock);
    } catch (cause) {
      throw new TokenError('revocationUnknown', { issuer: principal.issuer, cause });
    }
    // Anything but a plain no is a yes: a hook that forgets to answer must not let tokens pass.
    if (revoked !== false) throw new TokenError('revoked', { issuer: principal.issuer });
  }
}

function annotationOf({ issuer, subject, kid }: Principal): Readonly<Record<string, unknown>> {
  return authAnnotation('jwt', { issuer, principal: subject, keyId: kid });
}
