import { randomBytes } from 'node:crypto';
import type { Lease, TierRead } from '../tier.ts';
import type { Redis } from './client.ts';
import type { KeyNames } from './key-names.ts';
import {
  fillInPlaceScript,
  fillScript,
  readInPlaceScript,
  readScript,
  releaseScript,
  takeLeaseScript,
} from './scripts.ts';
import { isUnsupportedCommand, type ServerCapabilities } from './server-capabilities.ts';

/**
 * The prefixes of leases, by where they are stored. No entry starts like this: entries start with a head, which is not
 * text.
 */
const IN_PLACE_PREFIX = 'lease:';
const BESIDE_PREFIX = 'beside:';
const IN_PLACE_FIRST_BYTE = IN_PLACE_PREFIX.charCodeAt(0);
/** Indexed by the reply of `takeLeaseScript`. */
const LEASE_PREFIXES = ['', IN_PLACE_PREFIX, BESIDE_PREFIX] as const;

/**
 * Reads that take leases, and fills under them. A lease is text: drivers write a command of texts as one chunk, and one
 * with buffers as many.
 *
 * Where a lease is stored depends on the server. With `SET … IFEQ`, the lease of an absent entry is stored in place of
 * the entry: `SET … NX GET` takes it, and a fill replaces the value that is equal to it. On other servers, and while a
 * value exists that is being reloaded, the lease is stored under a key of its own, and scripts compare it. Processes
 * that disagree, as while a server is being replaced, load once too often; whatever invalidates an entry ends the
 * leases of both kinds.
 *
 * Several reads of one turn of the event loop are always one script: single commands would cost the client ten times as
 * much (decision 0010).
 */
export class Leases {
  readonly #redis: Redis;
  readonly #keyNames: KeyNames;
  readonly #leaseMs: string;
  /** Undefined where leases must not be stored in place of entries. */
  readonly #capabilities: ServerCapabilities | undefined;
  /**
   * Identifies this process. Drawn from the system and not from the injected `Random`: two processes with the same seed
   * must not take the lease of each other.
   */
  readonly #owner: string = `${randomBytes(12).toString('base64url')}:`;
  #lastNumber = 0;

  constructor(redis: Redis, keyNames: KeyNames, leaseMs: number, capabilities: ServerCapabilities | undefined) {
    this.#redis = redis;
    this.#keyNames = keyNames;
    this.#leaseMs = String(Math.ceil(leaseMs));
    this.#capabilities = capabilities;
  }

  /** Reads keys in one round trip, and takes the leases of the absent ones if they are wanted. */
  read(keys: readonly string[], wantsLeases: boolean): Promise<TierRead[]> {
    const inPlace = this.#capabilities?.hasSetIfEqual === true;
    const firstNumber = this.#lastNumber + 1;
    this.#lastNumber += keys.length;
    if (inPlace && wantsLeases && keys.length === 1) {
      return this.#readOne(keys[0] as string, firstNumber).catch((error: unknown) => {
        if (!isWriteRefusal(error)) throw error;
        return this.#readAll(keys, wantsLeases, inPlace, firstNumber);
      });
    }
    return this.#readAll(keys, wantsLeases, inPlace, firstNumber);
  }

  #readAll(keys: readonly string[], wantsLeases: boolean, inPlace: boolean, firstNumber: number): Promise<TierRead[]> {
    // A read without leases does not need the keys of separate leases.
    const entriesAlone = inPlace || !wantsLeases;
    const leasePrefix = `${inPlace ? IN_PLACE_PREFIX : BESIDE_PREFIX}${this.#owner}`;
    const names: string[] = [];
    for (const key of keys) {
      if (entriesAlone) names.push(this.#keyNames.entry(key));
      else this.#keyNames.appendEntryAndLease(key, names);
    }
    const script = entriesAlone ? readInPlaceScript : readScript;
    const reply = script.run(this.#redis, names, [this.#leaseMs, wantsLeases ? leasePrefix : '', String(firstNumber)]);
    return reply.then((parts) => parseReads(parts as readonly unknown[], leasePrefix, firstNumber));
  }

  /** Takes the lease of a key, whatever is stored there; `always`: even from another holder. */
  async acquire(key: string, always: boolean): Promise<Lease | undefined> {
    const name = this.#owner + String(++this.#lastNumber);
    const inPlace = this.#capabilities?.hasSetIfEqual === true;
    const args = [this.#leaseMs, name, always ? '1' : '0', inPlace ? '1' : '0'];
    const placeIndex = (await takeLeaseScript.run(this.#redis, this.#keyNames.entryAndLease(key), args)) as number;
    return placeIndex === 0 ? undefined : `${LEASE_PREFIXES[placeIndex]}${name}`;
  }

  async release(key: string, lease: Lease): Promise<void> {
    const [entry, beside] = this.#keyNames.entryAndLease(key);
    await releaseScript.run(this.#redis, [isInPlace(lease) ? entry : beside], [lease]);
  }

  /** Stores the entry if the lease still exists. */
  async fill(key: string, lease: Lease, entry: Buffer, ttlMs: string): Promise<boolean> {
    const names = this.#keyNames.entryAndLease(key);
    if (!isInPlace(lease)) return (await fillScript.run(this.#redis, names, [lease, entry, ttlMs])) === 1;
    const [name] = names;
    try {
      return (await this.#redis.send(name, ['SET', name, entry, 'IFEQ', lease, 'PX', ttlMs])) !== null;
    } catch (error) {
      if (!isUnsupportedCommand(error)) throw error;
      this.#capabilities?.markUnsupported();
      return (await fillInPlaceScript.run(this.#redis, [name], [lease, entry, ttlMs])) === 1;
    }
  }

  /** Reads one key with two commands sent together, which spares the server the script. */
  async #readOne(key: string, number: number): Promise<TierRead[]> {
    const name = this.#keyNames.entry(key);
    const lease = IN_PLACE_PREFIX + this.#owner + String(number);
    const command = ['SET', name, lease, 'NX', 'GET', 'PX', this.#leaseMs];
    const [previous, remainingMs] = await Promise.all([
      this.#redis.send(name, command).catch(ignoreWrongType),
      this.#redis.send(name, ['PTTL', name]),
    ]);
    if (previous === null) return [{ kind: 'absent', lease }];
    // A value that expired between the two commands has no time left.
    return [
      Buffer.isBuffer(previous) ? parseRead(previous, remainingMs as number) : { kind: 'absent', lease: undefined },
    ];
  }
}

function isInPlace(lease: Lease): boolean {
  return lease.startsWith(IN_PLACE_PREFIX);
}

/**
 * Parses the reply of a read script. Each read has two parts: the entry and its remaining time, or nothing and whether
 * the lease was taken (1, 0). A read for which the server refused the lease (-1) is left out.
 */
function parseReads(parts: readonly unknown[], leasePrefix: string, firstNumber: number): TierRead[] {
  const reads: TierRead[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const [entry, number] = [parts[i], parts[i + 1] as number];
    if (Buffer.isBuffer(entry)) reads.push(parseRead(entry, number));
    // Leaves a hole in the array.
    else if (number === -1) reads.length++;
    else reads.push({ kind: 'absent', lease: number === 1 ? leasePrefix + String(firstNumber + i / 2) : undefined });
  }
  return reads;
}

function parseRead(entry: Buffer, remainingMs: number): TierRead {
  if (entry[0] === IN_PLACE_FIRST_BYTE && entry.toString('latin1', 0, IN_PLACE_PREFIX.length) === IN_PLACE_PREFIX) {
    return { kind: 'absent', lease: undefined };
  }
  // A key without a time to live was not written by this library; decoding it will fail.
  return { kind: 'value', entry, remainingMs: remainingMs < 0 ? 0 : remainingMs };
}

/** Whether the server refuses writes: it is full, a replica, or cannot persist. Reads still work. */
function isWriteRefusal(error: unknown): boolean {
  return error instanceof Error && /^(?:OOM|READONLY|MISCONF|NOREPLICAS)\b/.test(error.message);
}

/** A key that is not a string was not written by this library, and counts as absent without a lease. */
function ignoreWrongType(error: unknown): undefined {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return undefined;
  throw error;
}
