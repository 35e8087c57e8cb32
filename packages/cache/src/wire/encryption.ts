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

/** What stands in an entry's header. */
export const IN_THE_CLEAR = 0;
export const AES_256_GCM = 1;

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** What an encrypted payload is longer: nonce and tag stand before it. */
export const ENCRYPTION_BYTES: number = NONCE_BYTES + TAG_BYTES;

/** The keys, checked, where nothing prints them. */
export class Keyring {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  /** Encrypts. */
  readonly current: string;

  constructor(keys: ReadonlyMap<string, KeyObject>, current: string) {
    this.#keys = keys;
    this.current = current;
  }

  get ids(): string[] {
    return [...this.#keys.keys()];
  }

  /** Writes what `plain` is encrypted, with nonce and tag, to `target`, and binds it to `context`. */
  seal(plain: Uint8Array, context: Uint8Array, target: Buffer): void {
    const nonce = randomFillSync(target.subarray(0, NONCE_BYTES));
    const cipher = createCipheriv(CIPHER, this.#keys.get(this.current) as KeyObject, nonce, {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(context);
    target.set(cipher.update(plain), ENCRYPTION_BYTES);
    cipher.final();
    target.set(cipher.getAuthTag(), NONCE_BYTES);
  }

  /** What was encrypted; undefined when it was not by this key, not with this context, or was changed since. */
  open(keyId: string, payload: Uint8Array, context: Uint8Array): Buffer | undefined {
    const key = this.#keys.get(keyId);
    if (key === undefined || payload.length < ENCRYPTION_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, key, payload.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
    try {
      decipher.setAAD(context);
      decipher.setAuthTag(payload.subarray(NONCE_BYTES, ENCRYPTION_BYTES));
      const plain = decipher.update(payload.subarray(ENCRYPTION_BYTES));
      decipher.final();
      return plain;
    } catch {
      return undefined;
    }
  }
}

/** @throws OptionsError which names the option and never shows a key */
export function keyring(path: string, options: EncryptionOptions): Keyring {
  assertObject(path, options);
  assertKnownOptions(path, options, ['keys']);
  if (!Array.isArray(options.keys) || options.keys.length === 0) {
    throw new OptionsError(`${path}.keys`, withheld(options.keys), 'a list of at least one key');
  }
  const keys = new Map<string, KeyObject>();
  for (const [i, one] of (options.keys as readonly EncryptionKey[]).entries()) {
    const place = `${path}.keys[${i}]`;
    // Not shown: a key may stand where it does not belong.
    if (typeof one !== 'object' || one === null) throw new OptionsError(place, withheld(one), 'an object { id, key }');
    assertKnownOptions(place, one, ['id', 'key']);
    const { id, key } = one;
    const isName = typeof id === 'string' && id.length > 0 && Buffer.byteLength(id) <= 255 && isWellFormed(id);
    if (!isName || keys.has(id)) {
      throw new OptionsError(`${place}.id`, id, 'a well-formed text of 1 to 255 bytes that no other key has');
    }
    if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) {
      throw new OptionsError(`${place}.key`, withheld(key), `a Uint8Array of ${KEY_BYTES} bytes`);
    }
    keys.set(id, createSecretKey(key));
  }
  return new Keyring(keys, (options.keys[0] as EncryptionKey).id);
}
