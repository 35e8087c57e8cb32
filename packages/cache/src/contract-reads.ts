import { strict as assert } from 'node:assert';
import type { Lease, TierRead, TierSpace } from './tier.ts';
import { newHead } from './wire/head.ts';

/** An entry that is a head and a text. */
export const entryOf = (text: string): Uint8Array => Buffer.concat([newHead('value'), Buffer.from(text)]);

/** The text of one; undefined where there is none. */
export function textOf(read: TierRead): string | undefined {
  return read.kind === 'value' ? Buffer.from(read.entry).subarray(16).toString() : undefined;
}

/** What stands at one key. */
export async function readOf(space: TierSpace, key: string, wantsLease: boolean = false): Promise<TierRead> {
  const [read] = await space.read([key], wantsLease);
  assert.ok(read !== undefined);
  return read;
}

/** The lease that a read took. */
export function leaseOf(read: TierRead): Lease | undefined {
  return read.kind === 'absent' ? read.lease : undefined;
}

/** The lease of a key at which there is nothing. */
export async function leaseAt(space: TierSpace, key: string): Promise<Lease> {
  const lease = leaseOf(await readOf(space, key, true));
  assert.ok(lease !== undefined);
  return lease;
}
