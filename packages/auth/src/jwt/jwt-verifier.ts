import type { X509Certificate } from 'node:crypto';
import type { TokenReason } from '../errors.ts';
import type { KeySourceStats } from './key-source.ts';
import type { Principal } from './principal.ts';

/** Options of a call that may wait for keys. */
export interface VerifyOptions {
  /** Stops waiting for keys, and rejects with its reason; others continue to wait. Default: none. */
  signal?: AbortSignal;
}

/** Options of the verification of one token. */
export interface VerifyTokenOptions extends VerifyOptions {
  /**
   * The client certificate of the TLS connection, such as `socket.getPeerX509Certificate()`, or its bytes in DER. A
   * token that is bound to a certificate (`cnf` with `x5t#S256`, RFC 8705) is accepted only with that one. Default:
   * none.
   */
  certificate?: X509Certificate | Uint8Array | undefined;
  /**
   * The members of `cnf` that you check yourself after the verification, such as `jwk`. A token that is bound by any
   * other is rejected (`binding`). Default: none.
   */
  confirms?: readonly string[];
}

/** What a verifier has counted. */
export interface JwtVerifierStats {
  /** Tokens accepted, including those from the cache. */
  readonly accepted: number;
  /** Tokens rejected, by reason. */
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
  /** What its cache has counted. */
  readonly cache: {
    /** Verifications answered from the cache. */
    readonly hits: number;
    /** Verifications not answered from the cache. */
    readonly misses: number;
    /** Tokens in the cache now. */
    readonly entries: number;
    /** Approximate size of the cache, in bytes. */
    readonly bytes: number;
  };
  /** Numbers of the keys, by issuer. */
  readonly keys: Readonly<Record<string, KeySourceStats>>;
}

/** Verifies JWTs. Created by `createJwtVerifier` and `createHmacJwtVerifier`. */
export interface JwtVerifier extends AsyncDisposable {
  /**
   * Verifies a token, without `Bearer`, and returns its principal. A token that is bound to a certificate requires the
   * option `certificate`; one that is bound to a key (DPoP) is for `createDpopVerifier`.
   * @throws TokenError (`MAC_TOKEN_INVALID`), and the reason of the signal
   */
  verify(token: string, options?: VerifyTokenOptions): Promise<Principal>;
  /**
   * Resolves when the keys of every issuer have been fetched. For a readiness check, and so that no first request
   * waits.
   * @throws TokenError `keysUnavailable`.
   */
  ready(options?: VerifyOptions): Promise<void>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): JwtVerifierStats;
  /** Cancels fetches in flight. Tokens are still verified with the keys that are there. */
  close(): Promise<void>;
}
