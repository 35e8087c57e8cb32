import type { Random } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import { allWatch, answerOf, blockedFor, letThrough, watches } from '../store/combine.ts';
import type { Ask, LimitTable, Promised, TableOptions, TakeMode } from '../store/store.ts';
import { BucketTakes } from './bucket-takes.ts';
import { isCluster, isReply, Script, type RedisClient } from './client.ts';
import { argumentsOf, escaped, parseReply, suffixesOf, type Reply } from './script-format.ts';
import { decideScript } from './scripts/decide.ts';
import { WindowTakes } from './window-takes.ts';

type Operation = 'block' | 'cancel' | 'charge' | 'release' | 'renew' | 'reserve' | 'reset' | 'take' | 'peek' | 'upTo';

/** The keys of one limiter in Redis or Valkey. Each operation is one script, and one round trip. */
export class RedisTable implements LimitTable {
  readonly synchronous = false;
  /** Left out where keys of several subjects cannot share a command. */
  takeEach: ((asks: readonly Ask[]) => Promise<readonly Decision[]>) | undefined;
  readonly #client: RedisClient;
  readonly #name: string;
  readonly #random: Random;
  readonly #prefix: string;
  /** Stands in for the server's time; for tests of the script. */
  readonly #time: (() => number) | undefined;
  #limits!: readonly Limit[];
  #suffixes!: readonly string[];
  /** What the general script needs to know of each limit. */
  #limitArguments!: readonly (readonly string[])[];
  #countedArguments!: readonly (readonly string[])[];
  #script!: Script;
  /** Where there is a single token bucket. */
  #bucket: BucketTakes | undefined;
  /** Where there is a single fixed window, and perhaps a command that counts it. */
  #window: WindowTakes | undefined;
  #permitsAt = -1;
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
    this.#limits = limits;
    this.#suffixes = suffixesOf(this.#name, limits);
    this.#limitArguments = limits.map((limit) => argumentsOf(limit, false));
    this.#countedArguments = limits.map((limit) => argumentsOf(limit, true));
    this.#script = Script.of(decideScript(limits.map(({ kind }) => kind)));
    const [limit] = limits as [Limit];
    const single = limits.length === 1;
    this.#bucket =
      single && limit.kind === 'tokenBucket' ? new BucketTakes(this.#client, limit, this.#time) : undefined;
    this.#window = this.#time === undefined ? WindowTakes.of(this.#client, limits) : undefined;
    this.#permitsAt = limits.findIndex(({ kind }) => kind === 'concurrency');
    this.takeEach = this.#oneSlot ? undefined : (asks) => this.#takeEach(asks);
  }

  async take(key: string, cost: number, mode: TakeMode, watching = 0): Promise<Decision> {
    if (mode === 'all' && watching === 0) {
      if (this.#bucket !== undefined) return (await this.#takeTokens([{ key, cost }]))[0] as Decision;
      const counted = await this.#window?.take(this.#keysOf(key)[0] as string, cost);
      if (counted !== undefined) {
        this.#commands++;
        return counted;
      }
    }
    const operation = mode === 'all' ? 'take' : mode;
    const extra = this.#permitsAt < 0 ? 0 : this.#permit();
    const reply = await this.#run(key, operation, cost, extra, watching);
    return this.#decided(reply, cost, mode, extra, watching);
  }

  takeTogether(asks: readonly Ask[]): Promise<readonly Decision[] | undefined> | undefined {
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

  async reserve(key: string, cost: number, maxWaitMs: number): Promise<Promised> {
    const { done, now, value, states } = await this.#run(key, 'reserve', cost, Math.min(maxWaitMs, 1e15));
    const allowed = done === '1';
    const said = this.#limits.map((limit, i) => {
      const state = stateOf(limit, states[i] as number[]);
      if (allowed) limit.charge(state, 0, now, cost, undefined);
      return { ...limit.look(state, 0, now, 0), allowed, retryAfterMs: allowed ? 0 : value };
    });
    return { decision: this.#answer(said, allowed ? cost : 0, now), waitMs: value, actAt: now + value };
  }

  async cancel(key: string, cost: number, actAt: number): Promise<void> {
    await this.#run(key, 'cancel', cost, actAt);
  }

  async charge(key: string, amount: number, stamp: number | undefined): Promise<void> {
    await this.#run(key, 'charge', amount, stamp);
  }

  async block(key: string, durationMs: number): Promise<void> {
    await this.#run(key, 'block', durationMs, undefined);
  }

  async reset(key: string): Promise<void> {
    await this.#run(key, 'reset', 0, undefined);
  }

  async release(key: string, permit: number): Promise<boolean> {
    return (await this.#run(key, 'release', 0, permit)).done === '1';
  }

  async renew(key: string, permit: number): Promise<boolean> {
    return (await this.#run(key, 'renew', 0, permit)).done === '1';
  }

  stats(): Readonly<Record<string, number>> {
    return { commands: this.#commands };
  }

  async #takeEach(asks: readonly Ask[]): Promise<readonly Decision[]> {
    if (this.#window?.mayCount === true) {
      return await Promise.all(asks.map(({ key, cost }) => this.take(key, cost, 'all')));
    }
    try {
      if (this.#bucket !== undefined) return await this.#takeTokens(asks);
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

  #takeTokens(asks: readonly Pick<Ask, 'cost' | 'key'>[]): Promise<readonly Decision[]> {
    const suffix = this.#suffixes[0] as string;
    this.#commands++;
    const keys = asks.map(({ key }) => this.#prefix + escaped(key) + suffix);
    return (this.#bucket as BucketTakes).take(
      keys,
      asks.map(({ cost }) => cost),
    );
  }

  /** For all of them or none (`take`), or for each by itself (`each`). */
  async #takeMany(
    operation: 'each' | 'take',
    asks: readonly Ask[],
    tables: readonly RedisTable[],
  ): Promise<readonly Decision[]> {
    const extras = tables.map((table) => (table.#permitsAt < 0 ? 0 : table.#permit()));
    const keys = asks.flatMap(({ key }, i) => (tables[i] as RedisTable).#keysOf(key));
    const args = asks.flatMap(({ cost, watching }, i) => (tables[i] as RedisTable).#subject(cost, extras[i], watching));
    const script = Script.of(decideScript(tables.flatMap((table) => table.#limits.map(({ kind }) => kind))));
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
      const { cost, watching } = asks[i] as Ask;
      const table = tables[i] as RedisTable;
      // Where others were denied, what would have been allowed here was not taken: it is told as a question would be.
      if (!granted && reply.done !== '0') return table.#decided(reply, 0, 'peek', 0, 0);
      return table.#decided(reply, cost, 'all', extras[i] as number, watching);
    });
  }

  async #run(
    key: string,
    operation: Operation,
    amount: number,
    extra: number | undefined,
    watching = 0,
  ): Promise<Reply> {
    const args = [operation, this.#timeArgument(), '1', ...this.#subject(amount, extra, watching)];
    this.#commands++;
    const [text] = (await this.#script.run(this.#client, this.#keysOf(key), args)) as [string];
    return parseReply(text);
  }

  #subject(amount: number, extra: number | undefined, watching: number): string[] {
    const all = this.#window?.inUse === true ? this.#countedArguments : this.#limitArguments;
    const own = all.flatMap((one, i) => [...one, watches(watching, i) ? '1' : '0']);
    return [String(this.#limits.length), String(amount), extra === undefined ? '' : String(extra), ...own];
  }

  #decided(reply: Reply, cost: number, mode: TakeMode, permit: number, watching: number): Decision {
    const { done, now, blockedUntil, value, states } = reply;
    if (blockedUntil > now) return this.#answer(blockedFor(this.#limits, blockedUntil - now), 0, now);
    if (mode === 'peek') return this.#answer(this.#looks(states, now, cost), 0, now);
    const asked = mode === 'upTo' && value === 0 ? Math.min(cost, 1) : value;
    const said = this.#looks(states, now, asked);
    if (done !== '1') {
      // What is taken from no limit, no limit may count in what it says it has left.
      const untaken = this.#limits.length === 1 ? said : this.#looks(states, now, 0);
      said.forEach((one, i) => {
        const charged = done === '2' && !watches(watching, i);
        if (one.allowed && !charged) said[i] = untaken[i] as LimitDecision;
      });
    }
    const decision = this.#answer(said, done === '0' ? 0 : value, now, watching);
    const charged = allWatch(watching, this.#limits.length) ? 0 : value;
    const told = done === '2' ? letThrough(decision, charged) : decision;
    const permitted = done !== '0' && this.#permitsAt >= 0 && !(done === '2' && watches(watching, this.#permitsAt));
    return permitted ? { ...told, permit } : told;
  }

  #permit(): number {
    return Math.floor(this.#random() * 2 ** 48) + 1;
  }

  #timeArgument(): string {
    return this.#time === undefined ? '' : String(this.#time());
  }

  #keysOf(key: string): string[] {
    const subject = this.#prefix + escaped(key);
    return this.#suffixes.map((suffix) => subject + suffix);
  }

  #looks(states: readonly number[][], now: number, cost: number): LimitDecision[] {
    return this.#limits.map((limit, i) => limit.look(stateOf(limit, states[i] as number[]), 0, now, cost));
  }

  #answer(said: readonly LimitDecision[], granted: number, now: number, watching = 0): Decision {
    return answerOf(this.#limits, said, 'store', granted, now, watching);
  }
}

function stateOf({ width }: Limit, stored: number[]): number[] {
  return stored.length === 0 ? new Array<number>(width).fill(0) : stored;
}
