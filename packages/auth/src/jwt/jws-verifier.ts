import {
  assertClock,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertText,
  systemClock,
  underPath,
} from '@macadam/core';
import { TokenError, type TokenReason } from '../errors.ts';
import { endpointName } from '../fetch/endpoint-url.ts';
import { observeVerifier } from '../instruments.ts';
import type { HmacAlgorithm } from './algorithms.ts';
import { decodeBase64url, HeaderCache, parseCompactJws } from './compact.ts';
import { rejectUnsupportedHeaders, readKeyReference } from './jose-header.ts';
import { hmacKeySet, type HmacSecret } from './hmac-secrets.ts';
import type { VerifyOptions } from './jwt-verifier.ts';
import { type KeySource, type KeySourceStats, StaticKeySource } from './key-source.ts';
import { keySourceFactory } from './key-source-factory.ts';
import { DEFAULT_TOKEN_LENGTH, type JwtIssuerOptions, type JwtVerifierOptions } from './options.ts';
import { allowedAlgorithms, localKeysOrUrl } from './settings.ts';
import { verifySignature } from './signature.ts';

/** The options that both kinds of JWS verifiers have. */
interface JwsOptions {
  /** Name in metrics. Default: `jws`. */
  name?: string;
  /** Maximum length of a JWS, in characters, at most 1_048_576. Default: 8_192. */
  maxTokenLength?: number;
}

/** Options of {@link createJwsVerifier}: the algorithms, and the keys or where they are. */
export interface JwsVerifierOptions
  extends
    JwsOptions,
    Pick<JwtIssuerOptions, 'algorithms' | 'jwks' | 'jwksUri'>,
    Pick<JwtVerifierOptions, 'fetch' | 'keyFetch' | 'random' | 'clock'> {}

/** Options of {@link createHmacJwsVerifier}: one algorithm, and the secrets. */
export interface HmacJwsVerifierOptions extends JwsOptions {
  /** The only accepted algorithm. A secret has at least as many bytes as its hash. */
  algorithm: HmacAlgorithm;
  /** The secrets. Several while they are rotated; then each has a `kid`. */
  secrets: readonly HmacSecret[];
}

/** Content with a valid signature. Whether it may be used now, here and by whom is not checked. */
export interface VerifiedJws {
  /** The protected header, frozen. */
  readonly header: Readonly<Record<string, unknown>>;
  /** The signed bytes; may be empty. */
  readonly payload: Uint8Array;
  /** The header `alg`. */
  readonly algorithm: string;
  /** The header `kid`, if there is one. */
  readonly kid: string | undefined;
}

/** What a {@link JwsVerifier} has counted. */
export interface JwsVerifierStats {
  /** Content accepted. */
  readonly accepted: number;
  /** Content rejected, by reason. */
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
  /** Numbers of the keys, by their URL without its query; `given` for `jwks` and secrets. */
  readonly keys: Readonly<Record<string, KeySourceStats>>;
}

/** Verifies signed content. Created by {@link createJwsVerifier} and {@link createHmacJwsVerifier}. */
export interface JwsVerifier extends AsyncDisposable {
  /**
   * Verifies a compact JWS and returns its payload.
   * @throws TokenError (`MAC_TOKEN_INVALID`), and the reason of the signal
   */
  verify(jws: string, options?: VerifyOptions): Promise<VerifiedJws>;
  /** Resolves when the keys have been fetched. For a readiness check. */
  ready(options?: VerifyOptions): Promise<void>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since it was created. */
  stats(): JwsVerifierStats;
  /** Cancels fetches in flight. Content is still verified with the keys that are there. */
  close(): Promise<void>;
}

const COMMON_OPTIONS = ['name', 'maxTokenLength'];
const OPTIONS = [...COMMON_OPTIONS, 'algorithms', 'jwks', 'jwksUri', 'fetch', 'keyFetch', 'random', 'clock'];
const MAX_LENGTH = 1_048_576;

/**
 * Creates a verifier of content in JWS compact serialization (RFC 7515) that is not a JWT: a security event, an ACME
 * request, a document. As strict as {@link createJwtVerifier}, with the same rules for keys; the payload is not
 * interpreted. Use `createJwtVerifier` for tokens: a valid signature says nothing about issuer, audience or time.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), also for weak, private or broken keys in `jwks`.
 * @example
 * ```ts
 * import { createJwsVerifier } from '@macadam/auth';
 *
 * const documents = createJwsVerifier({ algorithms: ['ES256'], jwksUri: 'https://id.example.com/jwks' });
 * await documents.close();
 * ```
 */
export function createJwsVerifier(options: JwsVerifierOptions): JwsVerifier {
  assertObject('createJwsVerifier', options);
  return underPath('createJwsVerifier', () => makeJwsVerifier(options));
}

function makeJwsVerifier(options: JwsVerifierOptions): JwsVerifier {
  assertKnownOptions('', options, OPTIONS);
  const algorithms = allowedAlgorithms('algorithms', options.algorithms);
  const keys = localKeysOrUrl('', options, algorithms);
  const { clock = systemClock } = options;
  assertClock('clock', clock);
  const source = keySourceFactory(options, clock)(undefined, keys, algorithms);
  return new CompactJwsVerifier(options, algorithms, source, keys instanceof URL ? endpointName(keys) : 'given');
}

/**
 * Creates a verifier of content that is signed with a shared secret, as {@link createJwsVerifier} does for public keys.
 * Everyone who can verify it can also create it.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) which never shows a secret
 * @example
 * ```ts
 * import { createHmacJwsVerifier } from '@macadam/auth';
 * import { randomBytes } from 'node:crypto';
 *
 * const documents = createHmacJwsVerifier({ algorithm: 'HS256', secrets: [{ secret: randomBytes(32) }] });
 * ```
 */
export function createHmacJwsVerifier(options: HmacJwsVerifierOptions): JwsVerifier {
  assertObject('createHmacJwsVerifier', options);
  return underPath('createHmacJwsVerifier', () => makeHmacJwsVerifier(options));
}

function makeHmacJwsVerifier(options: HmacJwsVerifierOptions): JwsVerifier {
  assertKnownOptions('', options, [...COMMON_OPTIONS, 'algorithm', 'secrets']);
  const { algorithm, secrets } = options;
  const source = new StaticKeySource(undefined, hmacKeySet(algorithm, secrets));
  return new CompactJwsVerifier(options, [algorithm], source, 'given');
}

class CompactJwsVerifier implements JwsVerifier {
  readonly #algorithms: readonly string[];
  readonly #maxTokenLength: number;
  readonly #keys: KeySource;
  readonly #keysName: string;
  readonly #headers = new HeaderCache();
  #accepted = 0;
  readonly #refused: Partial<Record<TokenReason, number>> = {};

  constructor(options: JwsOptions, algorithms: readonly string[], keys: KeySource, keysName: string) {
    const { name = 'jws', maxTokenLength = DEFAULT_TOKEN_LENGTH } = options;
    assertText('name', name);
    assertInteger('maxTokenLength', maxTokenLength, { min: 256, max: MAX_LENGTH });
    this.#algorithms = algorithms;
    this.#maxTokenLength = maxTokenLength;
    this.#keys = keys;
    this.#keysName = keysName;
    observeVerifier(name, this);
  }

  async verify(jws: string, { signal }: VerifyOptions = {}): Promise<VerifiedJws> {
    try {
      const verified = await this.#verify(jws, signal);
      this.#accepted++;
      return verified;
    } catch (error) {
      if (error instanceof TokenError) this.#refused[error.reason] = (this.#refused[error.reason] ?? 0) + 1;
      throw error;
    }
  }

  async #verify(jws: string, signal: AbortSignal | undefined): Promise<VerifiedJws> {
    if (typeof jws !== 'string') throw new TokenError('malformed');
    if (jws.length > this.#maxTokenLength) throw new TokenError('tooLarge');
    const parts = parseCompactJws(jws, this.#headers);
    const { header, encodedPayload } = parts;
    const payload = decodeBase64url(encodedPayload, 'payload');
    rejectUnsupportedHeaders(header);
    const reference = readKeyReference(header, this.#algorithms, undefined);
    await verifySignature(jws, reference, this.#keys, undefined, signal);
    this.#headers.add(parts);
    return { header, payload, algorithm: reference.algorithm, kid: reference.kid };
  }

  ready({ signal }: VerifyOptions = {}): Promise<void> {
    return this.#keys.ready(signal);
  }

  describe(): string {
    return `content signed with ${this.#algorithms.join(' or ')}, keys: ${this.#keysName}`;
  }

  stats(): JwsVerifierStats {
    return {
      accepted: this.#accepted,
      refused: { ...this.#refused },
      keys: { [this.#keysName]: this.#keys.stats() },
    };
  }

  close(): Promise<void> {
    this.#keys.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
