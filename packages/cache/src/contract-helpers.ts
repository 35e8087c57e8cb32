import { strict as assert } from 'node:assert';
import type { Lease, TierRead, TierSpace } from './tier.ts';
import { newHead } from './wire/head.ts';

/** An entry that consists of a head and a text. */
export const entryOf = (text: string): Uint8Array => Buffer.concat([newHead('value'), Buffer.from(text)]);

/** The text of an entry; undefined when there is no value. */
export function textOf(read: TierRead): string | undefined {
  return read.kind === 'value' ? Buffer.from(read.entry).subarray(16).toString() : undefined;
}

/** Reads one key. */
export async function readOf(space: TierSpace, key: string, wantsLease: boolean = false): Promise<TierRead> {
  const [read] = await space.read([key], wantsLease);
  assert.ok(read !== undefined);
  return read;
}

/** The lease that a read took. */
export function leaseOf(read: TierRead): Lease | undefined {
  return read.kind === 'absent' ? read.lease : undefined;
}

/** Takes the lease of a key without a value. */
export async function leaseAt(space: TierSpace, key: string): Promise<Lease> {
  const lease = leaseOf(await readOf(space, key, true));
  assert.ok(lease !== undefined);
  return lease;
}
