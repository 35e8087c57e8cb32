import type { Random } from '@macadam/core';
import type { Limit } from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import { answerOf, blockedFor } from '../store/combine.ts';
import type { LimitTable, Promised, TableOptions, TakeMode } from '../store/store.ts';
import { Script, type RedisClient } from './client.ts';
import { decideScript } from './scripts/decide.ts';
import { takeTokenScript } from './scripts/take-token.ts';

const takeToken = new Script(takeTokenScript);

/** What the script answers. */
interface Reply {
  readonly done: boolean;
  readonly now: number;
  readonly blockedUntil: number;
  readonly value: number;
  /** The states as they were before. */
  readonly states: readonly number[][];
}

/** The keys of one limiter in Redis or Valkey. Each operation is one script, and one round trip. */
export class RedisTable implements LimitTable {
  readonly synchronous = false;
  readonly #client: RedisClient;
  readonly #limits: readonly Limit[];
  readonly #random: Random;
  readonly #prefix: string;
  readonly #suffixes: readonly string[];
  readonly #limitArguments: readonly string[];
  readonly #script: Script;
  /** What its own script needs to know of a single token bucket. */
  readonly #bucketArguments: readonly string[] | undefined;
  readonly #hasPermits: boolean;
  /** Stands in for the server's time; for tests of the script. */
  readonly #time: (() => number) | undefined;
  #commands = 0;

  constructor(client: RedisClient, prefix: string, { name, limits, random }: TableOptions, time?: () => number) {
    this.#client = client;
    this.#limits = limits;
    this.#random = random;
    this.#prefix = `${prefix}:{`;
    // Names hold no braces, and the subject's are escaped, so that no two pairs of name and subject make one key.
    this.#suffixes = [`}:${name}`, ...limits.map((limit) => `}:${name}:${escaped(limit.name)}:${limit.kind}`)];
    this.#limitArguments = limits.flatMap(({ kind, width, capacity, parameters }) => {
      const padded = [0, 1, 2, 3].map((i) => parameters[i] ?? 0);
      return [kind, ...[width, capacity, ...padded].map(String)];
    });
    const [limit, ...others] = limits as readonly [Limit, ...Limit[]];
    this.#bucketArguments =
      limit.kind === 'tokenBucket' && others.length === 0
        ? [...limit.parameters, Math.max(limit.limit, limit.capacity)].map(String)
        : undefined;
    this.#script = new Script(decideScript(limits.map(({ kind }) => kind)));
    this.#hasPermits = limits.some(({ kind }) => kind === 'concurrency');
    this.#time = time;
  }

  take(key: string, cost: number, mode: TakeMode): Promise<Decision> {
    const bucket = this.#bucketArguments;
    return mode === 'all' && bucket !== undefined ? this.#takeToken(key, cost, bucket) : this.#take(key, cost, mode);
  }

  async reserve(key: string, cost: number, maxWaitMs: number): Promise<Promised> {
    const { done, now, value, states } = await this.#run(key, 'reserve', cost, Math.min(maxWaitMs, 1e15));
    const said = this.#limits.map((limit, i) => {
      const state = stateOf(limit, states[i] as number[]);
      if (done) limit.charge(state, 0, now, cost, undefined);
      return { ...limit.look(state, 0, now, 0), allowed: done, retryAfterMs: done ? 0 : value };
    });
    return { decision: this.#answer(said, done ? cost : 0, now), waitMs: value, actAt: now + value };
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
    return (await this.#run(key, 'release', 0, permit)).done;
  }

  async renew(key: string, permit: number): Promise<boolean> {
    return (await this.#run(key, 'renew', 0, permit)).done;
  }

  stats(): Readonly<Record<string, number>> {
    return { commands: this.#commands };
  }

  async #take(key: string, cost: number, mode: TakeMode): Promise<Decision> {
    const permit = this.#hasPermits ? Math.floor(this.#random() * 2 ** 48) + 1 : 0;
    const { done, now, blockedUntil, value, states } = await this.#run(key, mode, cost, permit);
    if (blockedUntil > now) return this.#answer(blockedFor(this.#limits, blockedUntil - now), 0, now);
    const asked = mode === 'upTo' && value === 0 ? Math.min(cost, 1) : value;
    const said = this.#looks(states, now, asked);
    if (mode === 'peek') return this.#answer(said, 0, now);
    if (done) {
      const decision = this.#answer(said, value, now);
      return this.#hasPermits ? { ...decision, permit } : decision;
    }
    const untaken = this.#limits.length === 1 ? said : this.#looks(states, now, 0);
    return this.#answer(
      said.map((one, i) => (one.allowed ? (untaken[i] as LimitDecision) : one)),
      0,
      now,
    );
  }

  async #takeToken(key: string, cost: number, bucket: readonly string[]): Promise<Decision> {
    const time = this.#time === undefined ? '' : String(this.#time());
    this.#commands++;
    const reply = await takeToken.run(this.#client, this.#keysOf(key), [...bucket, String(cost), time]);
    const [verdict, remaining, waitMs, resetAfterMs, micros] = reply as [number, number, number, number, number];
    const limit = this.#limits[0] as Limit;
    const said = {
      allowed: verdict === 1,
      limit: Math.max(limit.limit, limit.capacity),
      remaining,
      retryAfterMs: waitMs < 0 ? Infinity : waitMs,
      resetAfterMs,
    };
    return this.#answer([said], verdict === 1 ? cost : 0, this.#time?.() ?? micros / 1_000);
  }

  #keysOf(key: string): string[] {
    const subject = `${this.#prefix}${escaped(key)}`;
    return this.#suffixes.map((suffix) => subject + suffix);
  }

  async #run(key: string, operation: string, amount: number, extra: number | undefined): Promise<Reply> {
    const keys = this.#keysOf(key);
    const time = this.#time === undefined ? '' : String(this.#time());
    const mode = operation === 'all' ? 'take' : operation;
    const args = [mode, String(amount), extra === undefined ? '' : String(extra), time, ...this.#limitArguments];
    this.#commands++;
    const reply = (await this.#script.run(this.#client, keys, args)) as string;
    const [done, now, blockedUntil, value, ...states] = reply.split('|');
    return {
      done: done === '1',
      now: Number(now),
      blockedUntil: Number(blockedUntil),
      value: Number(value),
      states: states.map((text) => (text === '' ? [] : text.split(' ').map(Number))),
    };
  }

  #looks(states: readonly number[][], now: number, cost: number): LimitDecision[] {
    return this.#limits.map((limit, i) => limit.look(stateOf(limit, states[i] as number[]), 0, now, cost));
  }

  #answer(said: readonly LimitDecision[], granted: number, now: number): Decision {
    return answerOf(this.#limits, said, 'store', granted, now);
  }
}

function stateOf({ width }: Limit, stored: number[]): number[] {
  return stored.length === 0 ? new Array<number>(width).fill(0) : stored;
}

/** No brace, colon or percent sign is left, and different texts stay different. */
function escaped(text: string): string {
  return /[%:{}]/.test(text) ? text.replace(/[%:{}]/g, (one) => `%${one.charCodeAt(0).toString(16)}`) : text;
}
