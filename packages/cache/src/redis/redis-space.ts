import { randomUUID } from 'node:crypto';
import type { Ending, Lease, TierSpaceOptions, TierMark, TierMarks, TierRead, TierSpace } from '../tier.ts';
import type { Redis } from './client.ts';
import type { Feed, Told } from './feed.ts';
import { Leases } from './leases.ts';
import { textsOf } from './message.ts';
import { Names } from './names.ts';
import { expireScript, markScript, marksScript } from './scripts.ts';
import type { ServerCommands } from './server-commands.ts';
import { TimedWrites } from './timed-writes.ts';

/** Keys in one command at most: it runs alone on the server, so it must be short. */
const MOST_KEYS = 500;
/** Marks kept for each cache. Beyond, the oldest are dropped, and tagged entries that are older still load again. */
const MOST_MARKS = 10_000;

const SIGNS: Record<Ending, string> = { invalidated: 'i', expired: 'x' };
const ENDINGS: Record<string, Ending> = { i: 'invalidated', x: 'expired' };

/** What every cache of a tier has in common. */
export interface SpaceSettings {
  readonly prefix: string;
  /** How long a round trip is waited for. */
  readonly timeoutMs: number;
}

/** The entries of one cache in Redis or Valkey. */
export class RedisSpace implements TierSpace {
  readonly #redis: Redis;
  readonly #names: Names;
  readonly #feed: Feed;
  readonly mostReads: number;
  readonly #leases: Leases;
  readonly #writes: TimedWrites;
  readonly #askCommands: () => Promise<void> | undefined;
  readonly #namespace: string;
  /** Tells its own changes from those of others. */
  readonly #self: string = randomUUID();
  readonly #leave: () => void;
  /** Up to where marks were told, where the server says no more than that there are others. */
  #told: Pick<TierMarks, 'epoch' | 'position'> = { epoch: '', position: 0 };

  constructor(
    redis: Redis,
    { prefix, timeoutMs }: SpaceSettings,
    feed: Feed,
    commands: ServerCommands,
    options: TierSpaceOptions,
  ) {
    const { namespace, leaseMs, coherence, clock, onChange } = options;
    this.#redis = redis;
    this.#names = new Names(prefix, namespace);
    this.#feed = feed;
    // A server that tells of every change of an entry must not tell of leases: they change nothing.
    const inPlace = coherence !== 'tracking';
    this.#askCommands = () => (inPlace ? commands.ask(redis, prefix, clock) : undefined);
    void this.#askCommands();
    this.#leases = new Leases(redis, this.#names, leaseMs, inPlace ? commands : undefined);
    this.#writes = new TimedWrites(redis, this.#names, clock, timeoutMs);
    this.mostReads = redis.cluster ? 1 : MOST_KEYS;
    this.#namespace = namespace;
    this.#leave = feed.join({
      namespace,
      names: this.#names,
      onTold: (told) => {
        if (told.from !== this.#self) onChange(changeOf(told));
      },
      onState: (kind) => onChange({ kind }),
      onMarks: () => {
        this.marks().then(
          (all) => onChange({ kind: 'marks', marks: this.#news(all) }),
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
    const asking = this.#askCommands();
    if (asking !== undefined) return asking.then(() => this.#leases.read(keys, wantsLeases));
    return this.#leases.read(keys, wantsLeases);
  }

  lease(key: string, always: boolean): Promise<Lease | undefined> {
    return this.#leases.take(key, always);
  }

  release(key: string, lease: Lease): Promise<void> {
    return this.#leases.release(key, lease);
  }

  fill(key: string, lease: Lease, entry: Uint8Array, ttlMs: number): Promise<boolean> {
    return this.#leases.fill(key, lease, bytes(entry), String(Math.ceil(ttlMs)));
  }

  async write(key: string, entry: Uint8Array, ttlMs: number, onAnswer?: () => void): Promise<void> {
    await this.#writes.write(key, bytes(entry), String(Math.ceil(ttlMs)), onAnswer);
    onAnswer?.();
    await this.#tellKeys([key], 'invalidated');
  }

  async remove(keys: readonly string[], onAnswer?: () => void): Promise<void> {
    await this.#inParts(keys, (names) => this.#redis.send(names[0] as string, ['UNLINK', ...names]));
    onAnswer?.();
    await this.#tellKeys(keys, 'invalidated');
  }

  async expire(keys: readonly string[], head: Uint8Array, staleForMs: number, onAnswer?: () => void): Promise<void> {
    const args = [bytes(head), String(Math.ceil(staleForMs))];
    await this.#inParts(keys, (names) => expireScript.run(this.#redis, names, args));
    onAnswer?.();
    await this.#tellKeys(keys, 'expired');
  }

  async mark(tags: readonly string[], how: Ending): Promise<TierMarks> {
    const { marks, numbers, log } = this.#names;
    const said = [this.#feed.kept, this.#self, this.#namespace, SIGNS[how], randomUUID()];
    const args = [...said, String(MOST_MARKS), JSON.stringify(tags)];
    const [epoch, at] = (await markScript.run(this.#redis, [marks, numbers, log], args)) as [Buffer, Buffer];
    return marksOf(epoch.toString(), Number(at), tags, how);
  }

  async marks(): Promise<TierMarks> {
    const members = (await marksScript.run(this.#redis, [this.#names.marks], [randomUUID()])) as unknown[];
    let epoch = '';
    let position = 0;
    let floor = 0;
    const marks: TierMark[] = [];
    for (const [member, score] of pairsOf(members)) {
      position = Math.max(position, score);
      const [sign, rest] = [member.slice(0, 1), member.slice(2)];
      const how = ENDINGS[sign];
      if (sign === 'e') epoch = rest;
      else if (sign === 'f') floor = score;
      else if (how !== undefined) marks.push({ tag: rest, how, position: score });
    }
    return { epoch, position, floor, marks };
  }

  async close(): Promise<void> {
    this.#leave();
  }

  /** Without the marks that were told before: each would end what was loaded since. Answers may come in any order. */
  #news(all: TierMarks): TierMarks {
    const { epoch, position } = this.#told;
    const marks = all.epoch === epoch ? all.marks.filter((mark) => mark.position > position) : all.marks;
    if (all.epoch !== epoch || all.position > position) this.#told = all;
    return { ...all, marks };
  }

  /** The change itself comes first, and is answered: who hears of it must not find what was there before. */
  async #tellKeys(keys: readonly string[], how: Ending): Promise<void> {
    for (let i = 0; i < keys.length; i += MOST_KEYS) {
      const part = JSON.stringify(keys.slice(i, i + MOST_KEYS));
      await this.#feed.tell(this.#self, this.#namespace, SIGNS[how].toUpperCase(), part);
    }
  }

  /** In a cluster each key may live on another node. */
  async #inParts(keys: readonly string[], send: (names: string[]) => Promise<unknown>): Promise<void> {
    const size = this.#redis.cluster ? 1 : MOST_KEYS;
    for (let i = 0; i < keys.length; i += MOST_KEYS) {
      const sent: Promise<unknown>[] = [];
      const end = Math.min(i + MOST_KEYS, keys.length);
      for (let from = i; from < end; from += size) {
        const part = keys.slice(from, Math.min(from + size, end));
        sent.push(send(part.flatMap((key) => this.#names.pair(key))));
      }
      await Promise.all(sent);
    }
  }
}

/** The same bytes as what drivers take for bytes. */
function bytes(data: Uint8Array): Buffer {
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}

function marksOf(epoch: string, position: number, tags: readonly string[], how: Ending): TierMarks {
  return { epoch, position, floor: 0, marks: tags.map((tag) => ({ tag, how, position })) };
}

/** What cannot be read may have been anything: it is as if it had been missed. */
function changeOf({ sign, data }: Told): Parameters<TierSpaceOptions['onChange']>[0] {
  const how = ENDINGS[sign.toLowerCase()];
  if (how !== undefined && sign !== sign.toLowerCase()) {
    const keys = textsOf(data);
    if (keys !== undefined) return { kind: 'keys', how, keys };
  } else if (how !== undefined) {
    const [epoch = '', at = '', list = ''] = textsOf(data, 3) ?? [];
    const tags = textsOf(list);
    if (tags !== undefined && Number(at) > 0) return { kind: 'marks', marks: marksOf(epoch, Number(at), tags, how) };
  }
  return { kind: 'gap' };
}

/** RESP2 answers a flat list of texts, RESP3 a list of pairs. */
function* pairsOf(members: readonly unknown[]): Generator<[string, number]> {
  for (let i = 0; i < members.length; i++) {
    const member = members[i];
    if (Array.isArray(member)) yield [String(member[0]), Number(member[1])];
    else yield [String(member), Number(members[++i])];
  }
}
