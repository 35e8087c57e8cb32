import { randomBytes } from 'node:crypto';
import type { Lease, TierRead } from '../tier.ts';
import type { Redis } from './client.ts';
import type { Names } from './names.ts';
import { fillInPlaceScript, fillScript, readInPlaceScript, readScript, releaseScript, takeScript } from './scripts.ts';
import { isRefusal, type ServerCommands } from './server-commands.ts';

/** What leases begin with, by where they stand. No entry begins so: entries have a head that is no text. */
const IN_PLACE = 'lease:';
const BESIDE = 'beside:';
const IN_PLACE_BEGINS = IN_PLACE.charCodeAt(0);
/** What `takeScript` answers. */
const PLACES = ['', IN_PLACE, BESIDE] as const;

/**
 * Reads that take leases, and what becomes of those. A lease is text: drivers write a command of texts as one piece, and one with
 * bytes in many.
 *
 * Where it stands depends on the server. One that can compare and set in a command (`SET … IFEQ`) has the lease of what is absent in
 * the place of the entry: taking it is `SET … NX GET`, and a fill replaces what is equal to it. For any other server, and while there is
 * a value to be loaded anew, it stands beside the entry, and scripts compare. Processes that do not agree, as when a server is being
 * replaced, load once too often; whatever ends an entry ends leases of both kinds.
 *
 * Many reads of one turn are one script everywhere: commands would cost the client ten times as much (decision 0010).
 */
export class Leases {
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #leaseMs: string;
  /** Undefined where leases may not be in the place of entries. */
  readonly #commands: ServerCommands | undefined;
  /** Two processes that began from one seed must not take each other's lease, so it is the system that draws it. */
  readonly #self: string = `${randomBytes(12).toString('base64url')}:`;
  #number = 0;

  constructor(redis: Redis, names: Names, leaseMs: number, commands: ServerCommands | undefined) {
    this.#redis = redis;
    this.#names = names;
    this.#leaseMs = String(Math.ceil(leaseMs));
    this.#commands = commands;
  }

  /** Reads keys in one round trip, and takes the leases of those that are absent if they are wanted. */
  read(keys: readonly string[], wantsLeases: boolean): Promise<TierRead[]> {
    const inPlace = this.#commands?.comparesAndSets === true;
    const first = this.#number + 1;
    this.#number += keys.length;
    if (inPlace && wantsLeases && keys.length === 1) {
      return this.#readOne(keys[0] as string, first).catch((error: unknown) => {
        if (!refusesWrites(error)) throw error;
        return this.#readAll(keys, wantsLeases, inPlace, first);
      });
    }
    return this.#readAll(keys, wantsLeases, inPlace, first);
  }

  #readAll(keys: readonly string[], wantsLeases: boolean, inPlace: boolean, first: number): Promise<TierRead[]> {
    // What takes no leases need not know where they stand.
    const entriesAlone = inPlace || !wantsLeases;
    const begin = `${inPlace ? IN_PLACE : BESIDE}${this.#self}`;
    const names: string[] = [];
    for (const key of keys) {
      if (entriesAlone) names.push(this.#names.entry(key));
      else this.#names.addPair(key, names);
    }
    const script = entriesAlone ? readInPlaceScript : readScript;
    const answer = script.run(this.#redis, names, [this.#leaseMs, wantsLeases ? begin : '', String(first)]);
    return answer.then((parts) => readsOf(parts as readonly unknown[], begin, first));
  }

  /** Takes the lease of a key, whatever stands there. */
  async take(key: string, always: boolean): Promise<Lease | undefined> {
    const name = this.#self + String(++this.#number);
    const inPlace = this.#commands?.comparesAndSets === true;
    const args = [this.#leaseMs, name, always ? '1' : '0', inPlace ? '1' : '0'];
    const place = (await takeScript.run(this.#redis, this.#names.pair(key), args)) as number;
    return place === 0 ? undefined : `${PLACES[place]}${name}`;
  }

  async release(key: string, lease: Lease): Promise<void> {
    const [entry, beside] = this.#names.pair(key);
    await releaseScript.run(this.#redis, [isInPlace(lease) ? entry : beside], [lease]);
  }

  /** Stores the entry if the lease still stands. */
  async fill(key: string, lease: Lease, entry: Buffer, ttlMs: string): Promise<boolean> {
    const names = this.#names.pair(key);
    if (!isInPlace(lease)) return (await fillScript.run(this.#redis, names, [lease, entry, ttlMs])) === 1;
    const [name] = names;
    try {
      return (await this.#redis.send(name, ['SET', name, entry, 'IFEQ', lease, 'PX', ttlMs])) !== null;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#commands?.deny();
      return (await fillInPlaceScript.run(this.#redis, [name], [lease, entry, ttlMs])) === 1;
    }
  }

  /** One key by two commands, which spare the server the script: they go out together. */
  async #readOne(key: string, number: number): Promise<TierRead[]> {
    const name = this.#names.entry(key);
    const lease = IN_PLACE + this.#self + String(number);
    const words = ['SET', name, lease, 'NX', 'GET', 'PX', this.#leaseMs];
    const [former, remainingMs] = await Promise.all([
      this.#redis.send(name, words).catch(ofOtherType),
      this.#redis.send(name, ['PTTL', name]),
    ]);
    if (former === null) return [{ kind: 'absent', lease }];
    // A value that came to its end in between stays for no time.
    return [Buffer.isBuffer(former) ? readOf(former, remainingMs as number) : { kind: 'absent', lease: undefined }];
  }
}

function isInPlace(lease: Lease): boolean {
  return lease.startsWith(IN_PLACE);
}

/** Two parts each: the entry and for how long it stays, or nothing and whether the lease was taken. Left out where none is to be had. */
function readsOf(parts: readonly unknown[], begin: string, first: number): TierRead[] {
  const reads: TierRead[] = [];
  for (let i = 0; i < parts.length; i += 2) {
    const [entry, number] = [parts[i], parts[i + 1] as number];
    if (Buffer.isBuffer(entry)) reads.push(readOf(entry, number));
    // A place without an answer.
    else if (number === -1) reads.length++;
    else reads.push({ kind: 'absent', lease: number === 1 ? begin + String(first + i / 2) : undefined });
  }
  return reads;
}

function readOf(entry: Buffer, remainingMs: number): TierRead {
  if (entry[0] === IN_PLACE_BEGINS && entry.toString('latin1', 0, IN_PLACE.length) === IN_PLACE) {
    return { kind: 'absent', lease: undefined };
  }
  // Something without a time to live is not from here; the cache will find that out by itself.
  return { kind: 'value', entry, remainingMs: remainingMs < 0 ? 0 : remainingMs };
}

/** Whether a server that is full, a replica, or one that cannot save says that it takes nothing; it may still be read. */
function refusesWrites(error: unknown): boolean {
  return error instanceof Error && /^(?:OOM|READONLY|MISCONF|NOREPLICAS)\b/.test(error.message);
}

/** What is no string is not ours, and counts as nothing that could be replaced. */
function ofOtherType(error: unknown): undefined {
  if (error instanceof Error && error.message.startsWith('WRONGTYPE')) return undefined;
  throw error;
}
