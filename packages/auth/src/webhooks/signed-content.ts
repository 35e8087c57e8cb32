export const ID_HEADER = 'webhook-id';
export const TIMESTAMP_HEADER = 'webhook-timestamp';
export const SIGNATURE_HEADER = 'webhook-signature';

/**
 * Visible ASCII without full stops. The full stop separates the parts of the signed content: with one in an id, a signature
 * would also be valid for another id and body.
 */
const MESSAGE_ID = /^[!-\-/-~]{1,256}$/;

export function isMessageId(value: unknown): value is string {
  return typeof value === 'string' && MESSAGE_ID.test(value);
}

/** The signed content of Standard Webhooks: id, timestamp in seconds, and the body as it is on the wire. */
export function signedContent(id: string, timestamp: string, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
}
