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
} from '@macadam/core';
import { annotateAuth } from '../annotate-auth.ts';
import { observeDpop } from '../instruments.ts';
import { ALGORITHMS, type JwtAlgorithm } from '../jwt/algorithms.ts';
import type { VerifyTokenOptions } from '../jwt/jwt-verifier.ts';
import { DEFAULT_CLOCK_TOLERANCE_MS, MAX_CLOCK_TOLERANCE_MS } from '../jwt/options.ts';
import type { SeenBefore } from '../replay.ts';
import type { IncomingHeaders } from '../webhooks/webhook-verifier.ts';
import { authenticateDpop, type TokenVerifier } from './authenticate.ts';
import { DpopError, type DpopReason } from './errors.ts';
import { type ProofRules, verifyProof } from './proof.ts';
import { ProofKeys } from './proof-keys.ts';
import { replayMemory } from './replay-memory.ts';
import { ServerNonce } from './server-nonce.ts';

/** Options of {@link createDpopVerifier}. */
export interface DpopVerifierOptions {
  /** What its metrics are under. Default: `dpop`. */
  name?: string;
  /** The algorithms of proofs. Default: `ES256`, `EdDSA`, `Ed25519`, `PS256`. */
  algorithms?: readonly JwtAlgorithm[];
  /** How old a proof may be, in milliseconds. Default: 60_000. */
  maxAgeMs?: number;
  /** How far the client's clock and ours may differ. Default: 10_000; at most 60_000. */
  clockToleranceMs?: number;
  /**
   * Whether a proof was here before: a store that all instances share makes a proof good for one of them. Default: the
   * memory of this process, for 100_000 proofs.
   */
  seen?: SeenBefore;
  /** Demands a nonce of ours in every proof (RFC 9449 section 9), so that none can be made ahead. Default: not. */
  nonce?: DpopNonceOptions;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

/** How nonces are made. */
export interface DpopNonceOptions {
  /** At least 32 random bytes, the same in all instances. */
  secret: Uint8Array;
  /** A nonce is good for this long, and up to twice as long, in milliseconds. Default: 300_000. */
  periodMs?: number;
}

/** A request, as much as a proof is about. */
export interface DpopIncomingRequest {
  readonly method: string;
  /** Whole, as the client addressed it: behind a proxy, with the name and scheme of the outside. */
  readonly url: string;
  readonly headers: IncomingHeaders;
}

/** What is known of a proof that was accepted. */
export interface DpopProof {
  /** Of the key that made it (RFC 7638). */
  readonly thumbprint: string;
  readonly issuedAtMs: number;
}

/** What a proof must go with. */
export interface ExpectedBinding {
  /** The token that came with it. Left out at a token endpoint. */
  readonly accessToken?: string;
  /** The thumbprint that the token is bound to. */
  readonly thumbprint?: string;
}

/** Verifies proofs of possession. Made by {@link createDpopVerifier}. */
export interface DpopVerifier {
  /**
   * Who calls: the token of `Authorization: DPoP …`, verified by `tokens`, with a proof by the key it is bound to. A bound
   * token that comes as `Bearer`, and a token that is bound to nothing, are refused.
   * @throws DpopError (`MAC_DPOP_INVALID`), and what `tokens.verify` throws.
   */
  authenticate<P extends { readonly claims: Readonly<Record<string, unknown>> }>(
    request: DpopIncomingRequest,
    tokens: TokenVerifier<P>,
    options?: Pick<VerifyTokenOptions, 'signal' | 'certificate'>,
  ): Promise<P>;
  /** The proof alone. @throws DpopError (`MAC_DPOP_INVALID`). */
  verifyProof(request: DpopIncomingRequest, expected?: ExpectedBinding): Promise<DpopProof>;
  /** The nonce to send as `DPoP-Nonce` with any answer; `undefined` where none is demanded. */
  nonce(): string | undefined;
  /** What it accepts, in words. */
  describe(): string;
  stats(): DpopVerifierStats;
}

/** Numbers of a {@link DpopVerifier}. */
export interface DpopVerifierStats {
  readonly accepted: number;
  /** Proofs refused, by reason. */
  readonly refused: Readonly<Partial<Record<DpopReason, number>>>;
}

const DEFAULT_ALGORITHMS: readonly JwtAlgorithm[] = ['ES256', 'EdDSA', 'Ed25519', 'PS256'];
const DEFAULT_MAX_AGE_MS = 60_000;
const DEFAULT_NONCE_PERIOD_MS = 300_000;
const MIN_SECRET_BYTES = 32;
const MAX_REMEMBERED = 100_000;
const MAX_KEYS = 1_000;

/**
 * Verifies that callers hold the key their token is bound to (RFC 9449). Make one and keep it.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows the secret.
 */
export function createDpopVerifier(options: DpopVerifierOptions = {}): DpopVerifier {
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
    const demanded = nonces === undefined ? 'no nonce is demanded' : 'a nonce is demanded';
    return (
      `accepts proofs signed with ${algorithms.join(' or ')}, at most ${maxAgeMs} ms old, once; ${demanded}; ` +
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
  assertObject('options', options);
  assertKnownOptions('', options, ['name', 'algorithms', 'maxAgeMs', 'clockToleranceMs', 'seen', 'nonce', 'clock']);
  const { algorithms = DEFAULT_ALGORITHMS, maxAgeMs = DEFAULT_MAX_AGE_MS, nonce, clock = systemClock } = options;
  assertClock('clock', clock);
  const { clockToleranceMs = DEFAULT_CLOCK_TOLERANCE_MS, seen = replayMemory(clock, MAX_REMEMBERED) } = options;
  const known = Object.keys(ALGORITHMS) as JwtAlgorithm[];
  if (!Array.isArray(algorithms) || algorithms.length === 0) {
    throw new OptionsError('algorithms', algorithms, `a list of ${known.join(', ')}`);
  }
  for (const [at, one] of algorithms.entries()) assertOneOf(`algorithms[${at}]`, one, known);
  assertDurationMs('maxAgeMs', maxAgeMs);
  assertDurationMs('clockToleranceMs', clockToleranceMs, { min: 0, max: MAX_CLOCK_TOLERANCE_MS });
  assertFunction('seen', seen);
  const nonces = nonce === undefined ? undefined : noncesOf(nonce, clock);
  const keys = new ProofKeys(MAX_KEYS);
  return { algorithms: [...algorithms] as JwtAlgorithm[], maxAgeMs, clockToleranceMs, keys, seen, nonces, clock };
}

function noncesOf(options: DpopNonceOptions, clock: Clock): ServerNonce {
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
