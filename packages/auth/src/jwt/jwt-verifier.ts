import type { X509Certificate } from 'node:crypto';
import type { TokenReason } from '../errors.ts';
import type { KeySourceStats } from './key-source.ts';
import type { Principal } from './principal.ts';

/** Options of a wait for keys. */
export interface VerifyOptions {
  /** Stops waiting for the issuer's keys; rejects with its reason. Others who wait for the same keys go on. */
  signal?: AbortSignal;
}

/** Options of the verification of one token. */
export interface VerifyTokenOptions extends VerifyOptions {
  /**
   * The certificate that whoever brings the token has shown in the TLS handshake, such as
   * `socket.getPeerX509Certificate()`, or its bytes in DER. A token that is bound to a certificate (`cnf` with `x5t#S256`,
   * RFC 8705) is accepted with that one alone. Default: none was shown.
   */
  certificate?: X509Certificate | Uint8Array | undefined;
  /**
   * The members of `cnf` that you look at yourself once the token is verified, such as `jwk`. A token that is bound by any
   * other is refused (`binding`). Default: none.
   */
  confirms?: readonly string[];
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

/** Verifies tokens. Made by `createJwtVerifier` and `createHmacJwtVerifier`. */
export interface JwtVerifier extends AsyncDisposable {
  /**
   * Who the token speaks for. Takes the token alone, without `Bearer`. One that is bound to a certificate needs the
   * `certificate`; one that is bound to a key (DPoP) is for `createDpopVerifier`.
   * @throws TokenError `MAC_TOKEN_INVALID`, with the reason. Nothing else, but the reason of an aborted `signal`.
   */
  verify(token: string, options?: VerifyTokenOptions): Promise<Principal>;
  /**
   * Resolves once every issuer's keys are at hand: for a readiness check, and so that no first request waits.
   * @throws TokenError `keysUnavailable`.
   */
  ready(options?: VerifyOptions): Promise<void>;
  /** What it accepts, in words. */
  describe(): string;
  stats(): JwtVerifierStats;
  /** Cancels fetches in flight. Tokens are still verified with the keys at hand. */
  close(): Promise<void>;
}
