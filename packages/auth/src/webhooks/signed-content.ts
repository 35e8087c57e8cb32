import { OptionsError, withheld } from '@macadam/core';

export const ID_HEADER = 'webhook-id';
export const TIMESTAMP_HEADER = 'webhook-timestamp';
export const SIGNATURE_HEADER = 'webhook-signature';

/**
 * Visible ASCII without the full stop, which separates the parts of what is signed: with it in an id, one signature would
 * hold for another id and another body.
 */
const ID = /^[!-\-/-~]{1,256}$/;

export function isMessageId(value: unknown): value is string {
  return typeof value === 'string' && ID.test(value);
}

/** What is signed: id, time in seconds, and the body as it is on the wire. */
export function signedContent(id: string, timestamp: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
}

/** The bytes of a body. Anything parsed is refused: it would have to be written again, and not in the same way. */
export function bodyBytes(body: unknown): Buffer {
  if (typeof body === 'string') return Buffer.from(body);
  if (body instanceof Uint8Array) return Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  throw new OptionsError('rawBody', withheld(body), 'the body as it is on the wire: bytes, or a text');
}
