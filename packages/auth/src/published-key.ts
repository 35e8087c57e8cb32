// Which bytes are no secret, because they are a key that others have, too. To guess from the first characters what a text is
// has been got round again and again (CVE-2023-48223, CVE-2026-34950, GHSA-ww5h-9m49-7xx4, GHSA-g3jj-5cmm-3hxx): here
// nothing is decided by the guess, a secret is bytes of the caller's choice, and this is the net below the rope.
import { createPublicKey, ECDH, X509Certificate } from 'node:crypto';

/** Whether bytes are a key that others have too, in any of its spellings: as a secret it would let everybody sign. */
export function isPublished(secret: Uint8Array): boolean {
  const bytes = Buffer.from(secret);
  // A mark of the byte order, zeros of UTF-16 and blanks stand before and between what makes it a key.
  const text = bytes
    .toString('latin1')
    .replace(/^(\xef\xbb\xbf|\xff\xfe|\xfe\xff)/, '')
    .replaceAll('\0', '')
    .trim();
  if (/---- ?BEGIN/i.test(text) || /^(ssh|ecdsa|sk)-[a-z0-9@.-]+ /.test(text)) return true;
  if (/^[{[]/.test(text) && parses(() => JSON.parse(text))) return true;
  const unarmoured = text.replaceAll(/\s/g, '');
  return isBinaryKey(bytes) || (/^[\w+/-]+={0,2}$/.test(unarmoured) && isBinaryKey(Buffer.from(unarmoured, 'base64')));
}

/** Curves by the length of a point that is not compressed. Of a compressed one, every other text of its length is one. */
const CURVES: Readonly<Record<number, string>> = { 65: 'prime256v1', 97: 'secp384r1', 133: 'secp521r1' };

function isBinaryKey(bytes: Buffer): boolean {
  const curve = bytes[0] === 0x04 ? CURVES[bytes.length] : undefined;
  return (
    parses(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' })) ||
    parses(() => createPublicKey({ key: bytes, format: 'der', type: 'pkcs1' })) ||
    parses(() => new X509Certificate(bytes)) ||
    (curve !== undefined && parses(() => ECDH.convertKey(bytes, curve)))
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
