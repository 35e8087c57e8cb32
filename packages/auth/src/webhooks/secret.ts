import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import { OptionsError, withheld } from '@macadam/core';
import { hasSmallOrder } from '../jwt/small-order.ts';
import { isPublicKeyMaterial } from '../public-key-material.ts';

/**
 * A secret in the format of Standard Webhooks: `whsec_` and 24 to 64 bytes in base64 for a shared secret (`v1`);
 * `whsk_` and `whpk_` for a private and a public Ed25519 key (`v1a`). Bytes, or base64 without a prefix, are a shared
 * secret.
 */
export type WebhookSecret = string | Uint8Array;

/** A parsed secret of one scheme. A public key has no `sign`. */
export interface WebhookKey {
  readonly scheme: 'v1' | 'v1a';
  readonly sign: ((content: Buffer) => Buffer) | undefined;
  /** Verifies signatures of one message. A MAC of its content is computed once for all of them. */
  readonly verifierOf: (content: Buffer) => (signature: Buffer) => boolean;
}

/** The DER prefixes of an Ed25519 key of 32 bytes in PKCS #8 and SPKI (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** @throws OptionsError, which never contains the secret */
export function parseSecret(path: string, secret: WebhookSecret): WebhookKey {
  if (secret instanceof Uint8Array) return sharedSecret(path, Buffer.from(secret));
  if (typeof secret !== 'string') throw new OptionsError(path, withheld(secret), 'a text such as whsec_…, or bytes');
  const prefix = /^wh[a-z]+_/.exec(secret)?.[0] ?? 'whsec_';
  const text = secret.startsWith(prefix) ? secret.slice(prefix.length) : secret;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) {
    throw new OptionsError(path, withheld(secret), 'whsec_, whsk_ or whpk_ and base64 with its padding');
  }
  if (prefix === 'whsec_') return sharedSecret(path, bytes);
  if (prefix === 'whsk_' && (bytes.length === 32 || bytes.length === 64)) return signingKey(bytes.subarray(0, 32));
  if (prefix === 'whpk_' && bytes.length === 32) {
    if (!hasSmallOrder(bytes)) return verificationKey(bytes);
    throw new OptionsError(
      path,
      withheld(secret),
      'a sound key: this point has a small order, so signatures that nobody made would verify',
    );
  }
  throw new OptionsError(path, withheld(secret), 'whsec_, whsk_ (32 or 64 bytes) or whpk_ (32 bytes)');
}

function sharedSecret(path: string, bytes: Buffer): WebhookKey {
  if (bytes.length < 24 || bytes.length > 64)
    throw new OptionsError(path, withheld(bytes), 'a secret of 24 to 64 bytes');
  if (isPublicKeyMaterial(bytes))
    throw new OptionsError(path, withheld(bytes), 'a random secret: these are the bytes of a public key');
  const key = createSecretKey(bytes);
  const mac = (content: Buffer): Buffer => createHmac('sha256', key).update(content).digest();
  return {
    scheme: 'v1',
    sign: mac,
    verifierOf: (content) => {
      let expected: Buffer | undefined;
      return (signature) => signature.length === 32 && timingSafeEqual((expected ??= mac(content)), signature);
    },
  };
}

function signingKey(seed: Buffer): WebhookKey {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  return { ...ed25519Verifier(createPublicKey(key)), sign: (content) => sign(null, content, key) };
}

function verificationKey(bytes: Buffer): WebhookKey {
  return ed25519Verifier(createPublicKey({ key: Buffer.concat([SPKI, bytes]), format: 'der', type: 'spki' }));
}

function ed25519Verifier(key: KeyObject): WebhookKey {
  return {
    scheme: 'v1a',
    sign: undefined,
    verifierOf: (content) => (signature) => signature.length === 64 && verify(null, content, key, signature),
  };
}
