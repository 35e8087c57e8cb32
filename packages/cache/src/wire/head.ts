import { randomFillSync } from 'node:crypto';

/** The head of an entry: magic `CA 4D`, format version, kind, and a random stamp that identifies the write. */
export const HEAD_BYTES = 16;
const FORMAT_VERSION = 1;
/** No UTF-8 text starts with these bytes. */
const MAGIC = [0xca, 0x4d] as const;
const KINDS = ['value', 'expired', 'lease', 'tombstone'] as const;

/**
 * `value`: may be served until its time is over. `expired`: a value whose freshness was ended, which may only be served
 * stale. `lease` and `tombstone` are reserved: version 1 defines them as a head without content, and a reader treats
 * them as a miss. (Leases are stored as text; see `Leases`.)
 */
export type EntryKind = (typeof KINDS)[number];

const STAMP_AT = 4;
const STAMP_BYTES = HEAD_BYTES - STAMP_AT;
/** Generated in bulk: a call of the generator costs more than the bytes. */
const stamps = Buffer.allocUnsafeSlow(STAMP_BYTES * 256);
let nextStampAt = stamps.length;

/**
 * Creates the head of a new write. The stamp comes from the system and not from the injected `Random`, so that two
 * processes with the same seed cannot produce the same one.
 */
export function newHead(kind: EntryKind): Buffer {
  return writeHead(Buffer.allocUnsafe(HEAD_BYTES), kind);
}

/** Writes a new head to the start of an entry. */
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

/** The kind of an entry; undefined when it is not an entry, or of an unknown version. */
export function kindOf(bytes: Uint8Array): EntryKind | undefined {
  return hasMagic(bytes) && bytes[2] === FORMAT_VERSION ? KINDS[(bytes[3] as number) - 1] : undefined;
}

/** Whether another version of the format wrote it. */
export function isOtherVersion(bytes: Uint8Array): boolean {
  return hasMagic(bytes) && bytes[2] !== FORMAT_VERSION;
}

function hasMagic(bytes: Uint8Array): boolean {
  return bytes.length >= HEAD_BYTES && bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1];
}
