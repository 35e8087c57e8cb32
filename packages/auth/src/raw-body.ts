import { OptionsError, withheld } from '@macadam/core';

/**
 * The bytes of a body. A parsed body is rejected: serialized again, it may have other bytes than those that were signed.
 * @throws OptionsError, which does not contain the body
 */
export function rawBodyBytes(path: string, body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new OptionsError(path, withheld(body), 'the body as it is on the wire: bytes, or a text');
}
