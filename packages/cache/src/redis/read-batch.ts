import type { TierRead } from '../tier.ts';
import type { Redis } from './client.ts';
import type { Names } from './names.ts';
import { readScript } from './scripts.ts';

/** Reads in one script at most: it runs alone on the server, so it must be short. */
const MOST_AT_ONCE = 64;
const NO_LEASE = '';

interface Waiting {
  readonly key: string;
  readonly lease: Uint8Array | undefined;
  resolve(read: TierRead): void;
  reject(error: unknown): void;
}

/**
 * Reads that are asked for in one turn of the event loop go to the server as one script: many callers cost little more than
 * one. In a cluster each goes to its own node, in one turn as well.
 */
export class ReadBatch {
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #leaseMs: string;
  #waiting: Waiting[] = [];

  constructor(redis: Redis, names: Names, leaseMs: number) {
    this.#redis = redis;
    this.#names = names;
    this.#leaseMs = String(Math.ceil(leaseMs));
  }

  read(key: string, lease: Uint8Array | undefined): Promise<TierRead> {
    return new Promise((resolve, reject) => {
      const count = this.#waiting.push({ key, lease, resolve, reject });
      if (this.#redis.cluster || count === MOST_AT_ONCE) this.#send();
      // Runs when all that can go on now has gone on, and so has asked for what it wants.
      else if (count === 1) process.nextTick(() => this.#send());
    });
  }

  #send(): void {
    const reads = this.#waiting;
    if (reads.length === 0) return;
    this.#waiting = [];
    const keys = reads.flatMap(({ key }) => this.#names.pair(key));
    const leases = reads.map(({ lease }) => (lease === undefined ? NO_LEASE : leaseText(lease)));
    readScript.run(this.#redis, keys, [this.#leaseMs, ...leases]).then(
      (answer) => {
        const parts = answer as (Buffer | number | null)[];
        for (const [i, read] of reads.entries()) read.resolve(readOf(parts[2 * i], parts[2 * i + 1] as number));
      },
      (error: unknown) => {
        for (const read of reads) read.reject(error);
      },
    );
  }
}

/**
 * A lease as it stands on the server. As text, since drivers write a command of texts as one piece, and one with bytes in many.
 */
export function leaseText(lease: Uint8Array): string {
  const bytes = Buffer.isBuffer(lease) ? lease : Buffer.from(lease.buffer, lease.byteOffset, lease.byteLength);
  return bytes.toString('base64url');
}

function readOf(entry: Buffer | number | null | undefined, number: number): TierRead {
  if (!Buffer.isBuffer(entry)) return { kind: 'absent', leased: number === 1 };
  // Something without a time to live is not from here; the cache will find that out by itself.
  return { kind: 'value', entry, remainingMs: number < 0 ? 0 : number };
}
