// Detects Ed25519 points of order 1, 2, 4 or 8 (RFC 8032 section 5.1; Chalkias, Garillot, Nikolaenko, "Taming the many
// EdDSAs", 2020). No private key belongs to such a point. As a public key it accepts a constant signature for every
// message, or for one in eight, so anyone could sign. Node 22 does not reject these points.

/** Their 32 bytes in hex, with the sign bit (the last one) cleared: 0, 1, p - 1, p, p + 1, and the two of order 8. */
const SMALL_ORDER_POINTS = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

/** Whether an Ed25519 public key is a point of small order. */
export function hasSmallOrder(point: Uint8Array): boolean {
  const bytes = Buffer.from(point);
  bytes[31]! &= 0x7f;
  return SMALL_ORDER_POINTS.has(bytes.toString('hex'));
}
