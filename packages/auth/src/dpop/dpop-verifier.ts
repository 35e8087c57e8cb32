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
  systemClock,
  withheld,
  underPath,
} from '@macadam/core';
import { annotateAuth } from '../annotate-auth.ts';
import { observeDpop } from '../instruments.ts';
import { ALGORITHMS, type JwtAlgorithm } from '../jwt/algorithms.ts';
import type { VerifyTokenOptions } from '../jwt/jwt-verifier.ts';
import { DEFAULT_CLOCK_TOLERANCE_MS, MAX_CLOCK_TOLERANCE_MS } from '../jwt/options.ts';
import type { SeenBefore } from '../replay.ts';
import type { IncomingHeaders } from '../incoming-headers.ts';
import { authenticateDpop, type TokenVerifier } from './authenticate.ts';
import { DpopError, type DpopReason } from './errors.ts';
import { type ProofRules, verifyProof } from './proof.ts';
import { ProofKeyCache } from './proof-keys.ts';
import { memoryReplayStore } from './memory-replay-store.ts';
import { ServerNonce } from './server-nonce.ts';

/** Options of {@link createDpopVerifier}. */
export interface DpopVerifierOptions {
  /** Name in metrics. Default: `dpop`. */
  name?: string;
  /** Accepted algorithms. Default: `ES256`, `EdDSA`, `Ed25519`, `PS256`. */
  algorithms?: readonly JwtAlgorithm[];
  /** Maximum age of a proof, in milliseconds. Default: 60_000. */
  maxAgeMs?: number;
  /** Tolerated difference of clocks, in milliseconds, 0 to 60_000. Default: 10_000. */
  clockToleranceMs?: number;
  /**
   * Returns whether a proof was used before. A store that all instances share makes a proof valid for one of them.
   * Default: the memory of this process, for 100_000 proofs.
   */
  seen?: SeenBefore;
  /**
   * Requires a server nonce in every proof (RFC 9449 section 9), so that none can be created in advance. Default: not
   * required.
   */
  nonce?: DpopNonceOptions;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** How nonces are created. */
export interface DpopNonceOptions {
  /** At least 32 random bytes, the same in all instances. */
  secret: Uint8Array;
  /** How long a nonce is valid at least, in milliseconds; at most twice as long. Default: 300_000. */
  periodMs?: number;
}

/** The part of a request that a proof is about. */
export interface DpopIncomingRequest {
  /** The method. */
  readonly method: string;
  /** The whole URL as the client addressed it; behind a proxy, with the external scheme and host. */
  readonly url: string;
  /** The header fields. */
  readonly headers: IncomingHeaders;
}

/** An accepted proof. */
export interface DpopProof {
  /** The thumbprint of the key that signed it (RFC 7638). */
  readonly thumbprint: string;
  /** When it was created (`iat`), in epoch milliseconds. */
  readonly issuedAtMs: number;
}

/** What a proof must match. */
export interface ExpectedBinding {
  /** The token that was sent along. Left out at a token endpoint. */
  readonly accessToken?: string;
  /** The thumbprint that the token is bound to. */
  readonly thumbprint?: string;
}

/** Verifies DPoP proofs. Created by {@link createDpopVerifier}. */
export interface DpopVerifier {
  /**
   * Authenticates a request: verifies the token of `Authorization: DPoP …` with `tokens`, and the proof by the key that
   * it is bound to. Rejects a bound token that is sent as `Bearer`, and a token that is not bound.
   * @throws DpopError (`MAC_DPOP_INVALID`) and TokenError (`MAC_TOKEN_INVALID`)
   */
  authenticate<P extends { readonly claims: Readonly<Record<string, unknown>> }>(
    request: DpopIncomingRequest,
    tokens: TokenVerifier<P>,
    options?: Pick<VerifyTokenOptions, 'signal' | 'certificate'>,
  ): Promise<P>;
  /**
   * Verifies only the proof.
   * @throws DpopError (`MAC_DPOP_INVALID`)
   */
  verifyProof(request: DpopIncomingRequest, expected?: ExpectedBinding): Promise<DpopProof>;
  /** Returns the nonce to send as `DPoP-Nonce` with any response; `undefined` when none is required. */
  nonce(): string | undefined;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): DpopVerifierStats;
}

/** What a {@link DpopVerifier} has counted. */
export interface DpopVerifierStats {
  /** Proofs accepted. */
  readonly accepted: number;
  /** Proofs rejected, by reason. */
  readonly refused: Readonly<Partial<Record<DpopReason, number>>>;
}

const DEFAULT_ALGORITHMS: readonly JwtAlgorithm[] = ['ES256', 'EdDSA', 'Ed25519', 'PS256'];
const DEFAULT_MAX_AGE_MS = 60_000;
const DEFAULT_NONCE_PERIOD_MS = 300_000;
const MIN_SECRET_BYTES = 32;
const MAX_REPLAY_ENTRIES = 100_000;
const MAX_KEYS = 1_000;

/**
 * Creates a verifier of DPoP proofs: that callers hold the key their token is bound to (RFC 9449). Create one and keep
 * it.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { createDpopVerifier, DpopError } from '@macadam/auth';
 *
 * const proofs = createDpopVerifier();
 * const error = await proofs
 *   .verifyProof({ method: 'GET', url: 'https://a.example/', headers: {} })
 *   .catch((one) => one);
 * if (!(error instanceof DpopError) || error.reason !== 'missing') throw new Error('unexpected');
 * ```
 */
export function createDpopVerifier(options: DpopVerifierOptions = {}): DpopVerifier {
  assertObject('createDpopVerifier', options);
  return underPath('createDpopVerifier', () => makeDpopVerifier(options));
}

function makeDpopVerifier(options: DpopVerifierOptions): DpopVerifier {
  const rules = rulesOf(options);
  const { name = 'dpop' } = options;
  assertText('name', name);
  const verifier = new ProofVerifier(rules);
  observeDpop(name, verifier);
  return verifier;
}

class ProofVerifier implements DpopVerifier {
  readonly #rules: ProofRules;
  #accepted = 0;
  readonly #refused: Partial<Record<DpopReason, number>> = {};

  constructor(rules: ProofRules) {
    this.#rules = rules;
  }

  async authenticate<P extends { readonly claims: Readonly<Record<string, unknown>> }>(
    request: DpopIncomingRequest,
    tokens: TokenVerifier<P>,
    options: Pick<VerifyTokenOptions, 'signal' | 'certificate'> = {},
  ): Promise<P> {
    const principal = await this.#counted(authenticateDpop(this.#rules, request, tokens, options));
    annotateAuth('dpop', {});
    return principal;
  }

  verifyProof(request: DpopIncomingRequest, expected: ExpectedBinding = {}): Promise<DpopProof> {
    return this.#counted(verifyProof(this.#rules, request, expected));
  }

  nonce(): string | undefined {
    return this.#rules.nonces?.current();
  }

  describe(): string {
    const { algorithms, maxAgeMs, clockToleranceMs, nonces } = this.#rules;
    const nonceText = nonces === undefined ? 'no nonce is required' : 'a nonce is required';
    return (
      `accepts proofs signed with ${algorithms.join(' or ')}, at most ${maxAgeMs} ms old, once; ${nonceText}; ` +
      `clocks may differ by ${clockToleranceMs} ms`
    );
  }

  stats(): DpopVerifierStats {
    return { accepted: this.#accepted, refused: { ...this.#refused } };
  }

  async #counted<T>(verified: Promise<T>): Promise<T> {
    try {
      const result = await verified;
      this.#accepted++;
      return result;
    } catch (error) {
      if (error instanceof DpopError) this.#refused[error.reason] = (this.#refused[error.reason] ?? 0) + 1;
      throw error;
    }
  }
}

function rulesOf(options: DpopVerifierOptions): ProofRules {
  assertKnownOptions('', options, ['name', 'algorithms', 'maxAgeMs', 'clockToleranceMs', 'seen', 'nonce', 'clock']);
  const { algorithms = DEFAULT_ALGORITHMS, maxAgeMs = DEFAULT_MAX_AGE_MS, nonce, clock = systemClock } = options;
  assertClock('clock', clock);
  const { clockToleranceMs = DEFAULT_CLOCK_TOLERANCE_MS, seen = memoryReplayStore(clock, MAX_REPLAY_ENTRIES) } =
    options;
  const known = Object.keys(ALGORITHMS) as JwtAlgorithm[];
  if (!Array.isArray(algorithms) || algorithms.length === 0) {
    throw new OptionsError('algorithms', algorithms, `a list of ${known.join(', ')}`);
  }
  for (const [index, one] of algorithms.entries()) assertOneOf(`algorithms[${index}]`, one, known);
  assertDurationMs('maxAgeMs', maxAgeMs);
  assertDurationMs('clockToleranceMs', clockToleranceMs, { min: 0, max: MAX_CLOCK_TOLERANCE_MS });
  assertFunction('seen', seen);
  const nonces = nonce === undefined ? undefined : serverNonce(nonce, clock);
  const keys = new ProofKeyCache(MAX_KEYS);
  return { algorithms: [...algorithms] as JwtAlgorithm[], maxAgeMs, clockToleranceMs, keys, seen, nonces, clock };
}

function serverNonce(options: DpopNonceOptions, clock: Clock): ServerNonce {
  assertObject('nonce', options);
  assertKnownOptions('nonce', options, ['secret', 'periodMs']);
  const { secret, periodMs = DEFAULT_NONCE_PERIOD_MS } = options;
  if (!(secret instanceof Uint8Array) || secret.byteLength < MIN_SECRET_BYTES) {
    throw new OptionsError(
      'nonce.secret',
      withheld(secret),
      `bytes (a Uint8Array), at least ${MIN_SECRET_BYTES} of them`,
    );
  }
  assertDurationMs('nonce.periodMs', periodMs, { min: 1_000 });
  return new ServerNonce(secret, periodMs, clock);
}
