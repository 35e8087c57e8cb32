import { createPublicKey, X509Certificate } from 'node:crypto';

/** Whether bytes are a key that others have too, in any of its spellings: as a secret it would let everybody sign. */
export function isPublished(secret: Uint8Array): boolean {
  const bytes = Buffer.from(secret);
  const text = bytes.toString('latin1');
  if (text.includes('-----BEGIN') || (/^\s*[{[]/.test(text.slice(0, 64)) && parses(() => JSON.parse(text))))
    return true;
  return (
    parses(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' })) ||
    parses(() => createPublicKey({ key: bytes, format: 'der', type: 'pkcs1' })) ||
    parses(() => new X509Certificate(bytes))
  );
}

function parses(read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch {
    return false;
  }
}
