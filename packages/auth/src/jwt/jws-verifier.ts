import { assertClock, assertInteger, assertKnownOptions, assertObject, assertText, systemClock } from '@macadam/core';
import { TokenError, type TokenReason } from '../errors.ts';
import { observeVerifier } from '../instruments.ts';
import type { HmacAlgorithm } from './algorithms.ts';
import { decode, HeaderMemory, splitCompact } from './compact.ts';
import { checkExtensions, namedIn } from './header-rules.ts';
import { hmacKeys, type HmacSecret } from './hmac-secrets.ts';
import type { VerifyOptions } from './jwt-verifier.ts';
import { type KeySource, type KeySourceStats, StaticKeys } from './key-source.ts';
import { keySources } from './key-sources.ts';
import { DEFAULT_TOKEN_LENGTH, type JwtIssuerOptions, type JwtVerifierOptions } from './options.ts';
import { allowedAlgorithms, keysOf } from './settings.ts';
import { verifyByName } from './signature.ts';

/** What every verifier of signed content takes. */
interface JwsOptions {
  /** What its metrics are under. Default: `jws`. */
  name?: string;
  /** The longest text that is looked at, in characters. Default: 8_192; at most 1_048_576. */
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
  /** The only one that is accepted; a secret has as many bytes as its hash, or more. */
  algorithm: HmacAlgorithm;
  /** More than one while secrets are rotated; then each has a `kid`. */
  secrets: readonly HmacSecret[];
}

/** Content whose signature is right. Whether it may be used now, here and by whom is not looked at. */
export interface VerifiedJws {
  /** The protected header, frozen. */
  readonly header: Readonly<Record<string, unknown>>;
  /** The bytes that were signed; empty where nothing was. */
  readonly payload: Uint8Array;
  readonly algorithm: string;
  /** The `kid` of the header. */
  readonly kid: string | undefined;
}

/** Numbers of a {@link JwsVerifier}. */
export interface JwsVerifierStats {
  readonly accepted: number;
  /** By reason. */
  readonly refused: Readonly<Partial<Record<TokenReason, number>>>;
  /** By where they are; `given` for those that were given. */
  readonly keys: Readonly<Record<string, KeySourceStats>>;
}

/** Verifies signed content of any kind. Made by {@link createJwsVerifier} and {@link createHmacJwsVerifier}. */
export interface JwsVerifier extends AsyncDisposable {
  /** @throws TokenError `MAC_TOKEN_INVALID`, with the reason. Nothing else, but the reason of an aborted `signal`. */
  verify(jws: string, options?: VerifyOptions): Promise<VerifiedJws>;
  /** Resolves once the keys are at hand. @throws TokenError `keysUnavailable`. */
  ready(options?: VerifyOptions): Promise<void>;
  /** What it accepts, in words. */
  describe(): string;
  stats(): JwsVerifierStats;
  /** Cancels fetches in flight. */
  close(): Promise<void>;
}

const COMMON_OPTIONS = ['name', 'maxTokenLength'];
const OPTIONS = [...COMMON_OPTIONS, 'algorithms', 'jwks', 'jwksUri', 'fetch', 'keyFetch', 'random', 'clock'];
const MAX_LENGTH = 1_048_576;

/**
 * A verifier for content that is signed in JWS compact serialization (RFC 7515) and is no JWT: a security event, an ACME
 * request, a document. Reads and checks as strictly as {@link createJwtVerifier} does, by the same rules for keys, and
 * leaves the payload alone. For tokens use that one: a signature that is right says nothing of issuer, audience or time.
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
  assertObject('options', options);
  assertKnownOptions('', options, OPTIONS);
  const algorithms = allowedAlgorithms('algorithms', options.algorithms);
  const keys = keysOf('', options, algorithms);
  const { clock = systemClock } = options;
  assertClock('clock', clock);
  const source = keySources(options, clock)(undefined, keys, algorithms);
  return new CompactVerifier(options, algorithms, source, keys instanceof URL ? keys.href : 'given');
}

/**
 * The same for content under a shared secret: whoever can verify it can also make it.
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a secret that is a text or shorter than the hash.
 */
export function createHmacJwsVerifier(options: HmacJwsVerifierOptions): JwsVerifier {
  assertObject('options', options);
  assertKnownOptions('', options, [...COMMON_OPTIONS, 'algorithm', 'secrets']);
  const { algorithm, secrets } = options;
  const source = new StaticKeys(undefined, hmacKeys(algorithm, secrets));
  return new CompactVerifier(options, [algorithm], source, 'given');
}

class CompactVerifier implements JwsVerifier {
  readonly #algorithms: readonly string[];
  readonly #maxTokenLength: number;
  readonly #keys: KeySource;
  readonly #keysFrom: string;
  readonly #headers = new HeaderMemory();
  #accepted = 0;
  readonly #refused: Partial<Record<TokenReason, number>> = {};

  constructor(options: JwsOptions, algorithms: readonly string[], keys: KeySource, keysFrom: string) {
    const { name = 'jws', maxTokenLength = DEFAULT_TOKEN_LENGTH } = options;
    assertText('name', name);
    assertInteger('maxTokenLength', maxTokenLength, { min: 256, max: MAX_LENGTH });
    this.#algorithms = algorithms;
    this.#maxTokenLength = maxTokenLength;
    this.#keys = keys;
    this.#keysFrom = keysFrom;
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
    const parts = splitCompact(jws, this.#headers);
    const { header, encodedPayload } = parts;
    const payload = decode(encodedPayload, 'payload');
    checkExtensions(header);
    const named = namedIn(header, this.#algorithms, undefined);
    await verifyByName(jws, named, this.#keys, undefined, signal);
    this.#headers.keep(parts);
    return { header, payload, algorithm: named.algorithm, kid: named.kid };
  }

  ready({ signal }: VerifyOptions = {}): Promise<void> {
    return this.#keys.ready(signal);
  }

  describe(): string {
    return `content signed with ${this.#algorithms.join(' or ')}, keys: ${this.#keysFrom}`;
  }

  stats(): JwsVerifierStats {
    return {
      accepted: this.#accepted,
      refused: { ...this.#refused },
      keys: { [this.#keysFrom]: this.#keys.stats() },
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
