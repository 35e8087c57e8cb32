import type { TokenReason } from '../errors.ts';
import type { KeySourceStats } from './key-source.ts';
import type { Principal } from './principal.ts';

/** Options of one verification. */
export interface VerifyOptions {
  /** Stops waiting for the issuer's keys; rejects with its reason. Others who wait for the same keys go on. */
  signal?: AbortSignal;
}

/** Numbers of a verifier. */
export interface JwtVerifierStats {
  /** Tokens accepted, those from the cache included. */
  readonly accepted: number;
  /** Tokens refused, by reason. */
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
  readonly cache: { readonly hits: number; readonly misses: number; readonly entries: number; readonly bytes: number };
  /** By issuer. */
  readonly keys: Readonly<Record<string, KeySourceStats>>;
}

/** Verifies tokens. Made by `createJwtVerifier` and `createHmacVerifier`. */
export interface JwtVerifier extends AsyncDisposable {
  /**
   * Who the token speaks for. Takes the token alone, without `Bearer`.
   * @throws TokenError `MAC_TOKEN_INVALID`, with the reason. Nothing else, but the reason of an aborted `signal`.
   */
  verify(token: string, options?: VerifyOptions): Promise<Principal>;
  /**
   * Resolves once every issuer's keys are at hand: for a readiness check, and so that no first request waits.
   * @throws TokenError `keys_unavailable`.
   */
  ready(options?: VerifyOptions): Promise<void>;
  /** What it accepts, in words. */
  describe(): string;
  stats(): JwtVerifierStats;
  /** Cancels fetches in flight. Tokens are still verified with the keys at hand. */
  close(): Promise<void>;
}
