import { randomUUID } from 'node:crypto';
import type { Ending, Lease, TierSpaceOptions, TierMark, TierMarks, TierRead, TierSpace } from '../tier.ts';
import type { Redis } from './client.ts';
import type { ChangeFeed, ChangeMessage } from './change-feed.ts';
import { Leases } from './leases.ts';
import { parseStringList } from './parse-string-list.ts';
import { KeyNames } from './key-names.ts';
import { expireScript, markScript, marksScript } from './scripts.ts';
import type { ServerCapabilities } from './server-capabilities.ts';
import { DeadlineWriter } from './deadline-writer.ts';

/** Maximum number of keys per command. A command blocks the server while it runs, so it must be short. */
const MAX_KEYS_PER_COMMAND = 500;
/**
 * How many marks are kept per cache. Beyond that, the oldest are dropped, and tagged entries older than these are
 * loaded again.
 */
const MAX_MARKS = 10_000;

const ENDING_CODES: Record<Ending, string> = { invalidated: 'i', expired: 'x' };
const ENDINGS_BY_CODE: Record<string, Ending> = { i: 'invalidated', x: 'expired' };

/** The settings that all caches of a tier share. */
export interface SpaceSettings {
  readonly prefix: string;
  /** Time limit of a round trip. */
  readonly timeoutMs: number;
}

/** The entries of one cache in Redis or Valkey. */
export class RedisSpace implements TierSpace {
  readonly #redis: Redis;
  readonly #keyNames: KeyNames;
  readonly #feed: ChangeFeed;
  readonly mostReads: number;
  readonly #leases: Leases;
  readonly #writes: DeadlineWriter;
  readonly #detectCapabilities: () => Promise<void> | undefined;
  readonly #namespace: string;
  /** The id of this instance, by which it ignores its own changes. */
  readonly #self: string = randomUUID();
  readonly #unsubscribe: () => void;
  /** The newest marks that were reported (client tracking, which says only that marks have changed). */
  #reported: Pick<TierMarks, 'epoch' | 'position'> = { epoch: '', position: 0 };

  constructor(
    redis: Redis,
    { prefix, timeoutMs }: SpaceSettings,
    feed: ChangeFeed,
    capabilities: ServerCapabilities,
    options: TierSpaceOptions,
  ) {
    const { namespace, leaseMs, coherence, clock, onChange } = options;
    this.#redis = redis;
    this.#keyNames = new KeyNames(prefix, namespace);
    this.#feed = feed;
    // With tracking, the server reports every change of an entry. Leases must not be stored there, since they change
    // nothing.
    const inPlace = coherence !== 'tracking';
    this.#detectCapabilities = () => (inPlace ? capabilities.detect(redis, prefix, clock) : undefined);
    void this.#detectCapabilities();
    this.#leases = new Leases(redis, this.#keyNames, leaseMs, inPlace ? capabilities : undefined);
    this.#writes = new DeadlineWriter(redis, this.#keyNames, clock, timeoutMs);
    this.mostReads = redis.cluster ? 1 : MAX_KEYS_PER_COMMAND;
    this.#namespace = namespace;
    this.#unsubscribe = feed.subscribe({
      namespace,
      keyNames: this.#keyNames,
      onChange: (message) => {
        if (message.sender !== this.#self) onChange(parseChange(message));
      },
      onState: (kind) => onChange({ kind }),
      onMarksChanged: () => {
        this.marks().then(
          (all) => onChange({ kind: 'marks', marks: this.#unreported(all) }),
          () => onChange({ kind: 'gap' }),
        );
      },
    });
  }

  get connected(): boolean | undefined {
    return this.#feed.connected;
  }

  get lagMs(): number {
    return this.#feed.lagMs;
  }

  read(keys: readonly string[], wantsLeases: boolean = false): Promise<readonly TierRead[]> {
    const detecting = this.#detectCapabilities();
    if (detecting !== undefined) return detecting.then(() => this.#leases.read(keys, wantsLeases));
    return this.#leases.read(keys, wantsLeases);
  }

  lease(key: string, always: boolean): Promise<Lease | undefined> {
    return this.#leases.acquire(key, always);
  }

  release(key: string, lease: Lease): Promise<void> {
    return this.#leases.release(key, lease);
  }

  fill(key: string, lease: Lease, entry: Uint8Array, ttlMs: number): Promise<boolean> {
    return this.#leases.fill(key, lease, toBuffer(entry), String(Math.ceil(ttlMs)));
  }

  async write(
    key: string,
    entry: Uint8Array,
    ttlMs: number,
    onAnswer?: () => void,
    isCurrent?: () => boolean,
  ): Promise<boolean> {
    if (!(await this.#writes.write(key, toBuffer(entry), String(Math.ceil(ttlMs)), onAnswer, isCurrent))) return false;
    onAnswer?.();
    await this.#publishKeys([key], 'invalidated');
    return true;
  }

  async remove(keys: readonly string[], onAnswer?: () => void): Promise<void> {
    await this.#inChunks(keys, (names) => this.#redis.send(names[0] as string, ['UNLINK', ...names]));
    onAnswer?.();
    await this.#publishKeys(keys, 'invalidated');
  }

  async expire(keys: readonly string[], head: Uint8Array, staleForMs: number, onAnswer?: () => void): Promise<void> {
    const args = [toBuffer(head), String(Math.ceil(staleForMs))];
    await this.#inChunks(keys, (names) => expireScript.run(this.#redis, names, args));
    onAnswer?.();
    await this.#publishKeys(keys, 'expired');
  }

  async mark(tags: readonly string[], how: Ending): Promise<TierMarks> {
    const { marks, sequence, log } = this.#keyNames;
    const common = [this.#feed.maxLogLength, this.#self, this.#namespace, ENDING_CODES[how], randomUUID()];
    const args = [...common, String(MAX_MARKS), JSON.stringify(tags)];
    const [epoch, at] = (await markScript.run(this.#redis, [marks, sequence, log], args)) as [Buffer, Buffer];
    return toTierMarks(epoch.toString(), Number(at), tags, how);
  }

  async marks(): Promise<TierMarks> {
    const members = (await marksScript.run(this.#redis, [this.#keyNames.marks], [randomUUID()])) as unknown[];
    let epoch = '';
    let position = 0;
    let floor = 0;
    const marks: TierMark[] = [];
    for (const [member, score] of membersWithScores(members)) {
      position = Math.max(position, score);
      const [code, rest] = [member.slice(0, 1), member.slice(2)];
      const how = ENDINGS_BY_CODE[code];
      if (code === 'e') epoch = rest;
      else if (code === 'f') floor = score;
      else if (how !== undefined) marks.push({ tag: rest, how, position: score });
    }
    return { epoch, position, floor, marks };
  }

  async close(): Promise<void> {
    this.#unsubscribe();
  }

  /**
   * Removes the marks that were reported before: each would also affect what was loaded since. Replies may arrive in
   * any order.
   */
  #unreported(all: TierMarks): TierMarks {
    const { epoch, position } = this.#reported;
    const marks = all.epoch === epoch ? all.marks.filter((mark) => mark.position > position) : all.marks;
    if (all.epoch !== epoch || all.position > position) this.#reported = all;
    return { ...all, marks };
  }

  /** Published after the change itself is acknowledged: whoever is notified must not find the old value. */
  async #publishKeys(keys: readonly string[], how: Ending): Promise<void> {
    for (let i = 0; i < keys.length; i += MAX_KEYS_PER_COMMAND) {
      const chunk = JSON.stringify(keys.slice(i, i + MAX_KEYS_PER_COMMAND));
      await this.#feed.publish(this.#self, this.#namespace, ENDING_CODES[how].toUpperCase(), chunk);
    }
  }

  /** In a cluster, each key may be on another node. */
  async #inChunks(keys: readonly string[], send: (names: string[]) => Promise<unknown>): Promise<void> {
    const size = this.#redis.cluster ? 1 : MAX_KEYS_PER_COMMAND;
    for (let i = 0; i < keys.length; i += MAX_KEYS_PER_COMMAND) {
      const sent: Promise<unknown>[] = [];
      const end = Math.min(i + MAX_KEYS_PER_COMMAND, keys.length);
      for (let from = i; from < end; from += size) {
        const chunk = keys.slice(from, Math.min(from + size, end));
        sent.push(send(chunk.flatMap((key) => this.#keyNames.entryAndLease(key))));
      }
      await Promise.all(sent);
    }
  }
}

/** The same bytes as a `Buffer`, which drivers accept. */
function toBuffer(data: Uint8Array): Buffer {
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function toTierMarks(epoch: string, position: number, tags: readonly string[], how: Ending): TierMarks {
  return { epoch, position, floor: 0, marks: tags.map((tag) => ({ tag, how, position })) };
}

/** A message that cannot be parsed may have been any change, so it counts as a gap. */
function parseChange({ code, data }: ChangeMessage): Parameters<TierSpaceOptions['onChange']>[0] {
  const how = ENDINGS_BY_CODE[code.toLowerCase()];
  if (how !== undefined && code !== code.toLowerCase()) {
    const keys = parseStringList(data);
    if (keys !== undefined) return { kind: 'keys', how, keys };
  } else if (how !== undefined) {
    const [epoch = '', at = '', list = ''] = parseStringList(data, 3) ?? [];
    const tags = parseStringList(list);
    if (tags !== undefined && Number(at) > 0)
      return { kind: 'marks', marks: toTierMarks(epoch, Number(at), tags, how) };
  }
  return { kind: 'gap' };
}

/** Iterates over members and scores: a flat array in RESP2, pairs in RESP3. */
function* membersWithScores(members: readonly unknown[]): Generator<[string, number]> {
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (Array.isArray(member)) yield [String(member[0]), Number(member[1])];
    else yield [String(member), Number(members[++i])];
  }
}
