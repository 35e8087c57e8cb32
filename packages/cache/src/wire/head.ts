import { randomFillSync } from 'node:crypto';

/** Bytes that say what an entry is and which write made it: magic `CA 4D`, format version, kind, and a stamp. */
export const HEAD_BYTES = 16;
const FORMAT_VERSION = 1;
/** No text in UTF-8 begins so. */
const MAGIC = [0xca, 0x4d] as const;
const KINDS = ['value', 'expired', 'lease', 'tombstone'] as const;

/**
 * `value`: serves until its time is over. `expired`: a value that was ended softly, and serves only as a stale one. `lease`:
 * somebody is loading it. `tombstone`: was removed, and must not be filled by who began to load before.
 */
export type EntryKind = (typeof KINDS)[number];

const STAMP_AT = 4;
const STAMP_BYTES = HEAD_BYTES - STAMP_AT;
/** Drawn in bulk: a call of the generator costs more than what it draws. */
const stamps = Buffer.allocUnsafeSlow(STAMP_BYTES * 256);
let nextStampAt = stamps.length;

/**
 * The head of a new write. Its stamp is drawn by the system's generator, not by an injected one: two processes that began
 * from one seed must not take each other's lease.
 */
export function newHead(kind: EntryKind): Buffer {
  return writeHead(Buffer.allocUnsafe(HEAD_BYTES), kind);
}

/** Writes a new head to where an entry begins. */
export function writeHead(bytes: Buffer, kind: EntryKind): Buffer {
  if (nextStampAt === stamps.length) {
    randomFillSync(stamps);
    nextStampAt = 0;
  }
  bytes[0] = MAGIC[0];
  bytes[1] = MAGIC[1];
  bytes[2] = FORMAT_VERSION;
  bytes[3] = KINDS.indexOf(kind) + 1;
  stamps.copy(bytes, STAMP_AT, nextStampAt, (nextStampAt += STAMP_BYTES));
  return bytes;
}

/** What kind of entry begins here; undefined when it is none, or one of a version that is not known here. */
export function kindOf(bytes: Uint8Array): EntryKind | undefined {
  return isOurs(bytes) && bytes[2] === FORMAT_VERSION ? KINDS[(bytes[3] as number) - 1] : undefined;
}

/** Whether an earlier or a later version of this library wrote it. */
export function isOfOtherVersion(bytes: Uint8Array): boolean {
  return isOurs(bytes) && bytes[2] !== FORMAT_VERSION;
}

function isOurs(bytes: Uint8Array): boolean {
  return bytes.length >= HEAD_BYTES && bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1];
}

/** Whether both begin with the same head, and so are of the same write. */
export function sameHead(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length < HEAD_BYTES || other.length < HEAD_BYTES) return false;
  for (let i = 0; i < HEAD_BYTES; i++) if (one[i] !== other[i]) return false;
  return true;
}
