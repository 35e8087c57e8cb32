// Points of Ed25519 whose order is 1, 2, 4 or 8 (RFC 8032 section 5.1; Chalkias, Garillot, Nikolaenko, "Taming the many
// EdDSAs", 2020). As a public key such a point accepts a signature that anybody can write down, for every message, or for
// one in eight: nobody has its private key, because there is none. Node 22 does not refuse them.

/** Their 32 bytes without the sign, which is the last bit: 0, 1, p - 1, p, p + 1, and the two of order 8. */
const SMALL = new Set([
  '00'.repeat(32),
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
]);

/** Whether a public key of Ed25519 is none that anybody could have the private key of. */
export function hasSmallOrder(point: Uint8Array): boolean {
  const bytes = Buffer.from(point);
  bytes[31]! &= 0x7f;
  return SMALL.has(bytes.toString('hex'));
}
