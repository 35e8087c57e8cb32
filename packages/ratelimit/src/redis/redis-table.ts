import type { Random } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import type { TakeRequest, LimitTable, StoreReservation, TableOptions, TakeMode } from '../store/store.ts';
import { isCluster, isErrorReply, Script, type RedisClient } from './client.ts';
import { LimitSet } from './limit-set.ts';
import { escapeKey, parseReply, type Reply } from './script-format.ts';
import { decideScript } from './scripts/decide.ts';

type Operation = 'block' | 'cancel' | 'charge' | 'release' | 'renew' | 'reserve' | 'reset' | 'take' | 'peek' | 'upTo';

/** The keys of one limiter in Redis or Valkey. Each operation is one script, and one round trip. */
export class RedisTable implements LimitTable {
  readonly synchronous = false;
  /** Undefined if a command cannot have the keys of several subjects (on a cluster). */
  takeEach: ((requests: readonly TakeRequest[]) => Promise<readonly Decision[]>) | undefined;
  readonly #client: RedisClient;
  readonly #name: string;
  readonly #random: Random;
  readonly #prefix: string;
  /** Replaces the time of the server, in tests of the script. */
  readonly #time: (() => number) | undefined;
  #set!: LimitSet;
  /** Whether a command can only have keys of one slot. */
  #isCluster: boolean;
  #commands = 0;

  constructor(client: RedisClient, prefix: string, { name, limits, random }: TableOptions, time?: () => number) {
    this.#client = client;
    this.#name = name;
    this.#random = random;
    this.#prefix = `${prefix}:{`;
    this.#time = time;
    this.#isCluster = isCluster(client);
    this.setLimits(limits);
  }

  setLimits(limits: readonly Limit[]): void {
    this.#set = new LimitSet(this.#client, this.#name, limits, this.#time);
    this.takeEach = this.#isCluster ? undefined : (requests) => this.#takeEach(requests);
  }

  async take(key: string, cost: number, mode: TakeMode, watching = 0): Promise<Decision> {
    const set = this.#set;
    if (mode === 'all' && watching === 0) {
      if (set.bucket !== undefined) return (await this.#takeTokens(set, [{ key, cost }]))[0] as Decision;
      const subject = this.#subject(key);
      const counted = await set.window?.take(set.singleKeyOf(subject), set.blockKeyOf(subject), cost);
      if (counted !== undefined) {
        this.#commands++;
        if (!counted.isBlocked) return counted.decision;
        // The script decides about a blocked key. What was counted before that was known is given back.
        const { granted, stamp } = counted.decision;
        if (granted > 0) await this.#run(set, key, 'charge', -granted, stamp);
      }
    }
    const operation = mode === 'all' ? 'take' : mode;
    const permit = this.#newPermit(set);
    const reply = await this.#run(set, key, operation, cost, permit, watching);
    return set.decisionFrom(reply, cost, mode, permit, watching);
  }

  takeTogether(requests: readonly TakeRequest[]): Promise<readonly Decision[] | undefined> | undefined {
    const tables = requests.map(({ table }) => table);
    if (!tables.every((table) => table instanceof RedisTable)) return undefined;
    if (tables.some((table) => table.#client !== this.#client || table.#time !== this.#time)) return undefined;
    if (this.#isCluster && requests.some(({ key }) => key !== requests[0]?.key)) return undefined;
    return this.#takeMany('take', requests, tables).catch((error: unknown) => {
      if (!isErrorReply(error, 'CROSSSLOT')) throw error;
      // A cluster behind a client that does not know it. Nothing was taken.
      this.#isCluster = true;
      return undefined;
    });
  }

  async reserve(key: string, cost: number, maxWaitMs: number): Promise<StoreReservation> {
    const set = this.#set;
    return set.reservationFrom(await this.#run(set, key, 'reserve', cost, Math.min(maxWaitMs, 1e15)), cost);
  }

  async cancel(key: string, cost: number, actAt: number): Promise<void> {
    await this.#run(this.#set, key, 'cancel', cost, actAt);
  }

  async charge(key: string, amount: number, stamp: number | undefined): Promise<void> {
    await this.#run(this.#set, key, 'charge', amount, stamp);
  }

  async block(key: string, durationMs: number): Promise<void> {
    await this.#run(this.#set, key, 'block', durationMs, undefined);
  }

  async reset(key: string): Promise<void> {
    await this.#run(this.#set, key, 'reset', 0, undefined);
  }

  async release(key: string, permit: number): Promise<boolean> {
    return (await this.#run(this.#set, key, 'release', 0, permit)).done === '1';
  }

  async renew(key: string, permit: number): Promise<boolean> {
    return (await this.#run(this.#set, key, 'renew', 0, permit)).done === '1';
  }

  stats(): Readonly<Record<string, number>> {
    return { commands: this.#commands };
  }

  async #takeEach(requests: readonly TakeRequest[]): Promise<readonly Decision[]> {
    const set = this.#set;
    if (set.window?.mayBeSupported === true) {
      return await Promise.all(requests.map(({ key, cost }) => this.take(key, cost, 'all')));
    }
    try {
      if (set.bucket !== undefined) return await this.#takeTokens(set, requests);
      const tables = requests.map(() => this);
      return await this.#takeMany('each', requests, tables);
    } catch (error) {
      // A cluster behind a client that does not know it. Nothing was taken; from now on requests are sent one by one.
      if (requests.length === 1 || !isErrorReply(error, 'CROSSSLOT')) throw error;
      this.#isCluster = true;
      this.takeEach = undefined;
      return await Promise.all(requests.map(({ key, cost }) => this.take(key, cost, 'all')));
    }
  }

  #takeTokens(set: LimitSet, requests: readonly Pick<TakeRequest, 'cost' | 'key'>[]): Promise<readonly Decision[]> {
    this.#commands++;
    const bucket = set.bucket as NonNullable<LimitSet['bucket']>;
    const subjects = requests.map(({ key }) => this.#subject(key));
    const keys = subjects.map((subject) => set.singleKeyOf(subject));
    for (const subject of subjects) keys.push(set.blockKeyOf(subject));
    return bucket.take(
      keys,
      requests.map(({ cost }) => cost),
    );
  }

  /** Takes for all requests or for none (`take`), or for each independently (`each`), in one script. */
  async #takeMany(
    operation: 'each' | 'take',
    requests: readonly TakeRequest[],
    tables: readonly RedisTable[],
  ): Promise<readonly Decision[]> {
    const sets = tables.map((table) => table.#set);
    const setOf = (i: number): LimitSet => sets[i] as LimitSet;
    const permits = tables.map((table, i) => table.#newPermit(setOf(i)));
    const keys = requests.flatMap(({ key }, i) => setOf(i).keysOf((tables[i] as RedisTable).#subject(key)));
    const args = requests.flatMap(({ cost, watching }, i) => setOf(i).argumentsFor(cost, permits[i], watching));
    const script = Script.of(decideScript(sets.flatMap(({ limits }) => limits.map(({ kind }) => kind))));
    this.#commands++;
    const texts = (await script.run(this.#client, keys, [
      operation,
      this.#timeArgument(),
      String(requests.length),
      ...args,
    ])) as string[];
    const replies = texts.map(parseReply);
    const granted = operation === 'each' || replies.every(({ done }) => done !== '0');
    return replies.map((reply, i) => {
      const { cost, watching } = requests[i] as TakeRequest;
      // Another request was denied, so this grant was not charged: it becomes the decision of a peek.
      if (!granted && reply.done !== '0') return setOf(i).decisionFrom(reply, 0, 'peek', 0, watching);
      return setOf(i).decisionFrom(reply, cost, 'all', permits[i] as number, watching);
    });
  }

  async #run(
    set: LimitSet,
    key: string,
    operation: Operation,
    amount: number,
    extra: number | undefined,
    watching = 0,
  ): Promise<Reply> {
    const args = [operation, this.#timeArgument(), '1', ...set.argumentsFor(amount, extra, watching)];
    this.#commands++;
    const [text] = (await set.script.run(this.#client, set.keysOf(this.#subject(key)), args)) as [string];
    return parseReply(text);
  }

  /** Draws the id of the permit that a request may be granted. */
  #newPermit({ grantsPermits }: LimitSet): number {
    return grantsPermits ? Math.floor(this.#random() * 2 ** 48) + 1 : 0;
  }

  #timeArgument(): string {
    return this.#time === undefined ? '' : String(this.#time());
  }

  /** The part of the Redis keys that is common to all limits; its hash tag keeps them in one slot. */
  #subject(key: string): string {
    return this.#prefix + escapeKey(key);
  }
}
