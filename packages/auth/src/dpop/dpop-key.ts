import { createPublicKey, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import {
  assertClock,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  type Clock,
  OptionsError,
  RecencyMap,
  systemClock,
  withheld,
  underPath,
} from '@macadam/core';
import type { JsonWebKey } from '../jwt/jwk.ts';
import { signCompact } from '../jwt/signature.ts';
import { type PrivateKeyOptions, parsePrivateKey, type SigningKey } from '../tokens/private-key.ts';
import { normalizeUrl, jwkThumbprint, accessTokenHash } from './proof-claims.ts';

/** Options of {@link createDpopKey}. */
export interface DpopKeyOptions {
  /** The algorithm of a new key. Default: `ES256`, which every server supports. */
  algorithm?: 'ES256' | 'Ed25519';
  /** An existing key, for several processes that share tokens. Default: a new key. */
  privateKey?: PrivateKeyOptions;
  /** Maximum number of servers whose nonce is remembered, the most recently used ones. Default: 100. */
  maxOrigins?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** What a proof is created for. */
export interface ProofTarget {
  /** The method of the request. */
  readonly method: string;
  /** The whole URL; query and fragment are left out of the proof. */
  readonly url: string;
  /** The token that is sent along; left out in a request for a token. */
  readonly accessToken?: string;
}

/**
 * A key that tokens are bound to (RFC 9449), and the nonces that servers gave for it. Created by {@link createDpopKey}.
 */
export interface DpopKey {
  /** The thumbprint of the key (RFC 7638): `jkt` in the tokens that are bound to it. */
  readonly thumbprint: string;
  /** The public key, as a JWK. */
  readonly publicJwk: JsonWebKey;
  /**
   * Creates a proof for one request, with an id of its own and the latest nonce of the server.
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) unless `url` is a whole http or https URL.
   */
  proof(target: ProofTarget): Promise<string>;
  /** Stores the `DPoP-Nonce` of a response for the next request to the origin. Returns whether it was a new one. */
  learn(origin: string, nonce: string | null | undefined): boolean;
}

/** The syntax of RFC 9449 section 8.1, with a bound on what is added to each request. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;

/**
 * Creates a key to bind tokens to (RFC 9449), so that a stolen token is useless without it. A new key in memory unless
 * `privateKey` is given. Pass it to `clientCredentials` as `dpop`, and send the tokens with {@link dpop}.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { clientCredentials, createDpopKey, dpop } from '@macadam/auth';
 *
 * const key = createDpopKey();
 * const tokens = clientCredentials({
 *   tokenUrl: 'https://login.example.com/token',
 *   clientId: 'orders',
 *   clientSecret: 'secret',
 *   dpop: key,
 * });
 * const auth = dpop(tokens, key); // `auth` of createHttpClient
 * ```
 */
export function createDpopKey(options: DpopKeyOptions = {}): DpopKey {
  assertObject('createDpopKey', options);
  return underPath('createDpopKey', () => makeDpopKey(options));
}

function makeDpopKey(options: DpopKeyOptions): DpopKey {
  assertKnownOptions('', options, ['algorithm', 'privateKey', 'maxOrigins', 'clock']);
  const { algorithm = 'ES256', privateKey, maxOrigins = 100, clock = systemClock } = options;
  assertOneOf('algorithm', algorithm, ['ES256', 'Ed25519']);
  assertInteger('maxOrigins', maxOrigins, { min: 1 });
  assertClock('clock', clock);
  if (privateKey !== undefined && options.algorithm !== undefined) {
    throw new OptionsError('algorithm', algorithm, 'left out where privateKey is given');
  }
  const key = parsePrivateKey('privateKey', privateKey ?? { key: newKey(algorithm), algorithm });
  return new KeyPairDpopKey(key, maxOrigins, clock);
}

/** Whether a value was created by {@link createDpopKey}. */
export function isDpopKey(value: unknown): value is DpopKey {
  return value instanceof KeyPairDpopKey;
}

function newKey(algorithm: 'ES256' | 'Ed25519'): KeyObject {
  const pair =
    algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return pair.privateKey;
}

class KeyPairDpopKey implements DpopKey {
  readonly thumbprint: string;
  readonly publicJwk: JsonWebKey;
  readonly #key: SigningKey;
  readonly #maxOrigins: number;
  readonly #clock: Clock;
  /** By origin. */
  readonly #nonces = new RecencyMap<string, string>();

  constructor(key: SigningKey, maxOrigins: number, clock: Clock) {
    this.#key = key;
    this.#maxOrigins = maxOrigins;
    this.#clock = clock;
    this.publicJwk = Object.freeze({ ...createPublicKey(key.keyObject).export({ format: 'jwk' }) }) as JsonWebKey;
    // Every type of key that parsePrivateKey accepts has a thumbprint.
    this.thumbprint = jwkThumbprint(this.publicJwk) as string;
  }

  async proof({ method, url, accessToken }: ProofTarget): Promise<string> {
    const target = normalizeUrl(url);
    if (target === undefined) throw new OptionsError('url', withheld(url), 'a whole http or https URL');
    const nonce = this.#nonces.get(new URL(url).origin);
    const payload = {
      jti: randomUUID(),
      htm: method,
      htu: target,
      iat: Math.floor(this.#clock.now() / 1_000),
      ...(accessToken !== undefined && { ath: accessTokenHash(accessToken) }),
      ...(nonce !== undefined && { nonce }),
    };
    const { algorithm, cryptoKey } = this.#key;
    return await signCompact({ typ: 'dpop+jwt', alg: algorithm, jwk: this.publicJwk }, payload, cryptoKey);
  }

  learn(origin: string, nonce: string | null | undefined): boolean {
    if (typeof nonce !== 'string' || !NONCE.test(nonce)) return false;
    const previous = this.#nonces.peek(origin);
    this.#nonces.set(origin, nonce);
    if (this.#nonces.size > this.#maxOrigins) this.#nonces.deleteOldest();
    return nonce !== previous;
  }
}
