import { createCipheriv, createDecipheriv, createSecretKey, randomFillSync, type KeyObject } from 'node:crypto';
import { assertKnownOptions, assertObject, OptionsError, withheld } from '@macadam/core';
import { isWellFormed } from '../well-formed.ts';

/**
 * Encryption of values in the shared tier, with AES-256-GCM. Without it, everyone who can read the server can read the
 * values.
 */
export interface EncryptionOptions {
  /**
   * The first key encrypts, all of them decrypt. To rotate: append the new key everywhere, then move it to the front
   * everywhere, then remove the old key once the values it encrypted have expired. A key should encrypt no more than
   * 2^32 values (NIST SP 800-38D, 8.3).
   */
  keys: readonly EncryptionKey[];
}

/** A key that encrypts values. */
export interface EncryptionKey {
  /** Name of the key, 1 to 255 bytes. Stored with each entry, not encrypted. */
  id: string;
  /** 32 bytes from a secure random generator, such as `randomBytes(32)`; not a password. */
  key: Uint8Array;
}

/** The encryption byte of the header. */
export const UNENCRYPTED = 0;
export const AES_256_GCM = 1;

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** How much longer an encrypted payload is: nonce and authentication tag precede it. */
export const ENCRYPTION_OVERHEAD_BYTES: number = NONCE_BYTES + TAG_BYTES;

/** The validated keys, in private fields, so that nothing prints them. */
export class Keyring {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  /** The id of the key that encrypts. */
  readonly current: string;

  constructor(keys: ReadonlyMap<string, KeyObject>, current: string) {
    this.#keys = keys;
    this.current = current;
  }

  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  /** Encrypts `plain` into `target`, after nonce and tag, and binds it to `context`. */
  seal(plain: Uint8Array, context: Uint8Array, target: Buffer): void {
    const nonce = randomFillSync(target.subarray(0, NONCE_BYTES));
    const cipher = createCipheriv(CIPHER, this.#keys.get(this.current) as KeyObject, nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(context);
    target.set(cipher.update(plain), ENCRYPTION_OVERHEAD_BYTES);
    cipher.final();
    target.set(cipher.getAuthTag(), NONCE_BYTES);
  }

  /** Decrypts a payload. Undefined when the key is unknown, the context differs, or the data was modified. */
  open(keyId: string, payload: Uint8Array, context: Uint8Array): Buffer | undefined {
    const key = this.#keys.get(keyId);
    if (key === undefined || payload.length < ENCRYPTION_OVERHEAD_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, key, payload.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    try {
      decipher.setAAD(context);
      decipher.setAuthTag(payload.subarray(NONCE_BYTES, ENCRYPTION_OVERHEAD_BYTES));
      const plain = decipher.update(payload.subarray(ENCRYPTION_OVERHEAD_BYTES));
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}

/** @throws OptionsError that names the option and never contains a key */
export function createKeyring(path: string, options: EncryptionOptions): Keyring {
  assertObject(path, options);
  assertKnownOptions(path, options, ['keys']);
  if (!Array.isArray(options.keys) || options.keys.length === 0) {
    throw new OptionsError(`${path}.keys`, withheld(options.keys), 'a list of at least one key');
  }
  const keys = new Map<string, KeyObject>();
  for (const [i, encryptionKey] of (options.keys as readonly EncryptionKey[]).entries()) {
    const keyPath = `${path}.keys[${i}]`;
    // The value is withheld: it may be a key in the wrong place.
    if (typeof encryptionKey !== 'object' || encryptionKey === null)
      throw new OptionsError(keyPath, withheld(encryptionKey), 'an object { id, key }');
    assertKnownOptions(keyPath, encryptionKey, ['id', 'key']);
    const { id, key } = encryptionKey;
    const isValidId = typeof id === 'string' && id.length > 0 && Buffer.byteLength(id) <= 255 && isWellFormed(id);
    if (!isValidId || keys.has(id)) {
      throw new OptionsError(`${keyPath}.id`, id, 'a well-formed text of 1 to 255 bytes that no other key has');
    }
    if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) {
      throw new OptionsError(`${keyPath}.key`, withheld(key), `a Uint8Array of ${KEY_BYTES} bytes`);
    }
    keys.set(id, createSecretKey(key));
  }
  return new Keyring(keys, (options.keys[0] as EncryptionKey).id);
}
