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
} from '@macadam/core';
import type { JsonWebKey } from '../jwt/key-rules.ts';
import { signCompact } from '../jwt/signature.ts';
import { type PrivateKeyOptions, readPrivateKey, type SigningKey } from '../tokens/private-key.ts';
import { normalUrl, thumbprintOf, tokenHash } from './proof-target.ts';

/** Options of {@link createDpopKey}. */
export interface DpopKeyOptions {
  /** The kind of key to make. Default: `ES256`, which every server knows. */
  algorithm?: 'ES256' | 'Ed25519';
  /** A key of your own, instead of a new one: several processes that share tokens need the same. */
  privateKey?: PrivateKeyOptions;
  /** Servers whose nonce is remembered, the last ones used. Default: 100. */
  maxOrigins?: number;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

/** What a proof is made for. */
export interface ProofTarget {
  readonly method: string;
  /** Whole; query and fragment are left out of the proof. */
  readonly url: string;
  /** The token it goes with; left out in a request for a token. */
  readonly accessToken?: string;
}

/** A key that tokens are bound to (RFC 9449), and the nonces that servers gave for it. */
export interface DpopKey {
  /** Its thumbprint (RFC 7638): the `jkt` in the tokens that are bound to it. */
  readonly thumbprint: string;
  readonly publicJwk: JsonWebKey;
  /**
   * A proof for one request: with an id of its own, and the last nonce of the server.
   * @throws OptionsError (`MAC_INVALID_OPTIONS`) for what is no address.
   */
  proof(target: ProofTarget): Promise<string>;
  /** Notes the `DPoP-Nonce` of an answer, for the next request to the origin. Whether it was a new one. */
  learn(origin: string, nonce: string | null | undefined): boolean;
}

/** RFC 9449 section 8.1, and a bound on what goes into each request. */
const NONCE = /^[\x21\x23-\x5b\x5d-\x7e]{1,512}$/;

/**
 * A key to bind tokens to: what is stolen of them is of no use without it.
 *
 * Made new in memory unless `privateKey` is given. Give it to `clientCredentials` as `dpop`, and send the tokens with
 * {@link dpop}.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows a key.
 */
export function createDpopKey(options: DpopKeyOptions = {}): DpopKey {
  assertObject('options', options);
  assertKnownOptions('', options, ['algorithm', 'privateKey', 'maxOrigins', 'clock']);
  const { algorithm = 'ES256', privateKey, maxOrigins = 100, clock = systemClock } = options;
  assertOneOf('algorithm', algorithm, ['ES256', 'Ed25519']);
  assertInteger('maxOrigins', maxOrigins, { min: 1 });
  assertClock('clock', clock);
  if (privateKey !== undefined && options.algorithm !== undefined) {
    throw new OptionsError('algorithm', algorithm, 'left out where privateKey is given');
  }
  const key = readPrivateKey('privateKey', privateKey ?? { key: newKey(algorithm), algorithm });
  return new BoundKey(key, maxOrigins, clock);
}

/** Whether a value is one of {@link createDpopKey}. */
export function isDpopKey(value: unknown): value is DpopKey {
  return value instanceof BoundKey;
}

function newKey(algorithm: 'ES256' | 'Ed25519'): KeyObject {
  const pair =
    algorithm === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519');
  return pair.privateKey;
}

class BoundKey implements DpopKey {
  readonly thumbprint: string;
  readonly publicJwk: JsonWebKey;
  readonly #key: SigningKey;
  readonly #maxOrigins: number;
  readonly #clock: Clock;
  /** By origin, the last used last. */
  readonly #nonces = new RecencyMap<string, string>();

  constructor(key: SigningKey, maxOrigins: number, clock: Clock) {
    this.#key = key;
    this.#maxOrigins = maxOrigins;
    this.#clock = clock;
    this.publicJwk = Object.freeze({ ...createPublicKey(key.object).export({ format: 'jwk' }) }) as JsonWebKey;
    // Every kind of key that is read has one.
    this.thumbprint = thumbprintOf(this.publicJwk) as string;
  }

  async proof({ method, url, accessToken }: ProofTarget): Promise<string> {
    const target = normalUrl(url);
    if (target === undefined) throw new OptionsError('url', withheld(url), 'an address of the web, whole');
    const nonce = this.#nonces.get(new URL(url).origin);
    const payload = {
      jti: randomUUID(),
      htm: method,
      htu: target,
      iat: Math.floor(this.#clock.now() / 1_000),
      ...(accessToken !== undefined && { ath: tokenHash(accessToken) }),
      ...(nonce !== undefined && { nonce }),
    };
    const { algorithm, handle } = this.#key;
    return await signCompact({ typ: 'dpop+jwt', alg: algorithm, jwk: this.publicJwk }, payload, handle);
  }

  learn(origin: string, nonce: string | null | undefined): boolean {
    if (typeof nonce !== 'string' || !NONCE.test(nonce)) return false;
    const before = this.#nonces.peek(origin);
    this.#nonces.set(origin, nonce);
    if (this.#nonces.size > this.#maxOrigins) this.#nonces.deleteOldest();
    return nonce !== before;
  }
}
