// Detects a public key that was passed as a shared secret: whoever has the public key could then sign tokens (algorithm
// confusion). Libraries that guess the kind of a key from its first characters were bypassed again and again
// (CVE-2023-48223, CVE-2026-34950, GHSA-ww5h-9m49-7xx4, GHSA-g3jj-5cmm-3hxx). Here the function that is called decides
// what a key is for; this check is only a second line of defence against a mistake in the configuration.
import { createPublicKey, ECDH, X509Certificate } from 'node:crypto';

/** Whether the bytes are a public key or certificate in any encoding: PEM, SSH, JWK, DER, base64 of DER, or an EC point. */
export function isPublicKeyMaterial(secret: Uint8Array): boolean {
  const bytes = Buffer.from(secret);
  // Editors add a byte order mark or white space, and UTF-16 puts a zero beside each character.
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

/**
 * Curves by the length of an uncompressed point. Compressed points are left out: half of all byte strings of their
 * length are one.
 */
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
