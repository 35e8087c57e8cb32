import type { Random } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision } from '../decision.ts';
import type { TakeRequest, LimitTable, StoreReservation, TableOptions, TakeMode } from '../store/store.ts';
import { isCluster, isReply, Script, type RedisClient } from './client.ts';
import { LimitSet } from './limit-set.ts';
import { escapeKey, parseReply, type Reply } from './script-format.ts';
import { decideScript } from './scripts/decide.ts';

type Operation = 'block' | 'cancel' | 'charge' | 'release' | 'renew' | 'reserve' | 'reset' | 'take' | 'peek' | 'upTo';

/** The keys of one limiter in Redis or Valkey. Each operation is one script, and one round trip. */
export class RedisTable implements LimitTable {
  readonly synchronous = false;
  /** Left out where keys of several subjects cannot share a command. */
  takeEach: ((asks: readonly TakeRequest[]) => Promise<readonly Decision[]>) | undefined;
  readonly #client: RedisClient;
  readonly #name: string;
  readonly #random: Random;
  readonly #prefix: string;
  /** Stands in for the server's time; for tests of the script. */
  readonly #time: (() => number) | undefined;
  #set!: LimitSet;
  #oneSlot: boolean;
  #commands = 0;

  constructor(client: RedisClient, prefix: string, { name, limits, random }: TableOptions, time?: () => number) {
    this.#client = client;
    this.#name = name;
    this.#random = random;
    this.#prefix = `${prefix}:{`;
    this.#time = time;
    this.#oneSlot = isCluster(client);
    this.setLimits(limits);
  }

  setLimits(limits: readonly Limit[]): void {
    this.#set = new LimitSet(this.#client, this.#name, limits, this.#time);
    this.takeEach = this.#oneSlot ? undefined : (asks) => this.#takeEach(asks);
  }

  async take(key: string, cost: number, mode: TakeMode, watching = 0): Promise<Decision> {
    const set = this.#set;
    if (mode === 'all' && watching === 0) {
      if (set.bucket !== undefined) return (await this.#takeTokens(set, [{ key, cost }]))[0] as Decision;
      const counted = await set.window?.take(set.storedKey(this.#subject(key)), cost);
      if (counted !== undefined) {
        this.#commands++;
        return counted;
      }
    }
    const operation = mode === 'all' ? 'take' : mode;
    const extra = this.#permit(set);
    const reply = await this.#run(set, key, operation, cost, extra, watching);
    return set.decided(reply, cost, mode, extra, watching);
  }

  takeTogether(asks: readonly TakeRequest[]): Promise<readonly Decision[] | undefined> | undefined {
    const tables = asks.map(({ table }) => table);
    if (!tables.every((table) => table instanceof RedisTable)) return undefined;
    if (tables.some((table) => table.#client !== this.#client || table.#time !== this.#time)) return undefined;
    if (this.#oneSlot && asks.some(({ key }) => key !== asks[0]?.key)) return undefined;
    return this.#takeMany('take', asks, tables).catch((error: unknown) => {
      if (!isReply(error, 'CROSSSLOT')) throw error;
      // A cluster behind a client that does not say so. Nothing was taken.
      this.#oneSlot = true;
      return undefined;
    });
  }

  async reserve(key: string, cost: number, maxWaitMs: number): Promise<StoreReservation> {
    const set = this.#set;
    return set.promised(await this.#run(set, key, 'reserve', cost, Math.min(maxWaitMs, 1e15)), cost);
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

  async #takeEach(asks: readonly TakeRequest[]): Promise<readonly Decision[]> {
    const set = this.#set;
    if (set.window?.mayCount === true) {
      return await Promise.all(asks.map(({ key, cost }) => this.take(key, cost, 'all')));
    }
    try {
      if (set.bucket !== undefined) return await this.#takeTokens(set, asks);
      const tables = asks.map(() => this);
      return await this.#takeMany('each', asks, tables);
    } catch (error) {
      // A cluster behind a client that does not say so. Nothing was taken; from now on each request travels by itself.
      if (asks.length === 1 || !isReply(error, 'CROSSSLOT')) throw error;
      this.#oneSlot = true;
      this.takeEach = undefined;
      return await Promise.all(asks.map(({ key, cost }) => this.take(key, cost, 'all')));
    }
  }

  #takeTokens(set: LimitSet, asks: readonly Pick<TakeRequest, 'cost' | 'key'>[]): Promise<readonly Decision[]> {
    this.#commands++;
    const bucket = set.bucket as NonNullable<LimitSet['bucket']>;
    return bucket.take(
      asks.map(({ key }) => set.storedKey(this.#subject(key))),
      asks.map(({ cost }) => cost),
    );
  }

  /** For all of them or none (`take`), or for each by itself (`each`). */
  async #takeMany(
    operation: 'each' | 'take',
    asks: readonly TakeRequest[],
    tables: readonly RedisTable[],
  ): Promise<readonly Decision[]> {
    const sets = tables.map((table) => table.#set);
    const setOf = (i: number): LimitSet => sets[i] as LimitSet;
    const extras = tables.map((table, i) => table.#permit(setOf(i)));
    const keys = asks.flatMap(({ key }, i) => setOf(i).keysOf((tables[i] as RedisTable).#subject(key)));
    const args = asks.flatMap(({ cost, watching }, i) => setOf(i).argumentsFor(cost, extras[i], watching));
    const script = Script.of(decideScript(sets.flatMap(({ limits }) => limits.map(({ kind }) => kind))));
    this.#commands++;
    const texts = (await script.run(this.#client, keys, [
      operation,
      this.#timeArgument(),
      String(asks.length),
      ...args,
    ])) as string[];
    const replies = texts.map(parseReply);
    const granted = operation === 'each' || replies.every(({ done }) => done !== '0');
    return replies.map((reply, i) => {
      const { cost, watching } = asks[i] as TakeRequest;
      // Where others were denied, what would have been allowed here was not taken: it is told as a question would be.
      if (!granted && reply.done !== '0') return setOf(i).decided(reply, 0, 'peek', 0, 0);
      return setOf(i).decided(reply, cost, 'all', extras[i] as number, watching);
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

  /** The name of the permit that a request may be given. */
  #permit({ givesPermits }: LimitSet): number {
    return givesPermits ? Math.floor(this.#random() * 2 ** 48) + 1 : 0;
  }

  #timeArgument(): string {
    return this.#time === undefined ? '' : String(this.#time());
  }

  #subject(key: string): string {
    return this.#prefix + escapeKey(key);
  }
}
