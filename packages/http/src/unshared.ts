/**
 * Copies bytes that are less than half of their buffer into one of their own. Whoever keeps them would keep the rest in memory as
 * well, and whoever transfers them would take the rest away from others, or fail.
 */
export function unshared(bytes: Uint8Array): Uint8Array {
  return 2 * bytes.length < bytes.buffer.byteLength ? new Uint8Array(bytes) : bytes;
}
