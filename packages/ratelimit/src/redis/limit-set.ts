import type { Limit } from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import {
  allOnlyWatch,
  combineDecisions,
  blockedDecisions,
  shadowedDecision,
  onlyWatches,
} from '../store/combine-decisions.ts';
import type { StoreReservation, TakeMode } from '../store/store.ts';
import { TokenBucketCommand } from './token-bucket-command.ts';
import { Script, type RedisClient } from './client.ts';
import { limitArguments, keySuffixes, type Reply } from './script-format.ts';
import { decideScript } from './scripts/decide.ts';
import { IncrexCommand } from './increx-command.ts';

/**
 * The limits that hold at one time, and what follows from them: the keys, what a script is told, what its reply means. A request is
 * answered by those it was sent under, also when others hold by then.
 */
export class LimitSet {
  readonly limits: readonly Limit[];
  readonly script: Script;
  /** Where there is a single token bucket. */
  readonly bucket: TokenBucketCommand | undefined;
  /** Where there is a single fixed window, and perhaps a command that counts it. */
  readonly window: IncrexCommand | undefined;
  readonly #suffixes: readonly string[];
  /** What the general script needs to know of each limit. */
  readonly #plainArguments: readonly (readonly string[])[];
  readonly #countedArguments: readonly (readonly string[])[];
  readonly #permitsAt: number;

  constructor(client: RedisClient, name: string, limits: readonly Limit[], time: (() => number) | undefined) {
    this.limits = limits;
    this.script = Script.of(decideScript(limits.map(({ kind }) => kind)));
    const [limit] = limits as [Limit];
    const single = limits.length === 1;
    this.bucket = single && limit.kind === 'tokenBucket' ? new TokenBucketCommand(client, limit, time) : undefined;
    this.window = time === undefined ? IncrexCommand.of(client, limits) : undefined;
    this.#suffixes = keySuffixes(name, limits);
    this.#plainArguments = limits.map((one) => limitArguments(one, false));
    this.#countedArguments = limits.map((one) => limitArguments(one, true));
    this.#permitsAt = limits.findIndex(({ kind }) => kind === 'concurrency');
  }

  get givesPermits(): boolean {
    return this.#permitsAt >= 0;
  }

  /** The keys of a subject, limit by limit. */
  keysOf(subject: string): string[] {
    return this.#suffixes.map((suffix) => subject + suffix);
  }

  /** Its key where there is a single limit. */
  storedKey(subject: string): string {
    return subject + (this.#suffixes[0] as string);
  }

  /** What the script is told of a subject. */
  argumentsFor(amount: number, extra: number | undefined, watching: number): string[] {
    const all = this.window?.inUse === true ? this.#countedArguments : this.#plainArguments;
    const own = all.flatMap((one, i) => [...one, onlyWatches(watching, i) ? '1' : '0']);
    return [String(this.limits.length), String(amount), extra === undefined ? '' : String(extra), ...own];
  }

  decided(reply: Reply, cost: number, mode: TakeMode, permit: number, watching: number): Decision {
    const { done, now, blockedUntil, value, states } = reply;
    if (blockedUntil > now) return this.#answer(blockedDecisions(this.limits, blockedUntil - now), 0, now);
    if (mode === 'peek') return this.#answer(this.#looks(states, now, cost), 0, now);
    const asked = mode === 'upTo' && value === 0 ? Math.min(cost, 1) : value;
    const said = this.#looks(states, now, asked);
    if (done !== '1') {
      // What is taken from no limit, no limit may count in what it says it has left.
      const untaken = this.limits.length === 1 ? said : this.#looks(states, now, 0);
      said.forEach((one, i) => {
        const charged = done === '2' && !onlyWatches(watching, i);
        if (one.allowed && !charged) said[i] = untaken[i] as LimitDecision;
      });
    }
    const decision = this.#answer(said, done === '0' ? 0 : value, now, watching);
    const charged = allOnlyWatch(watching, this.limits.length) ? 0 : value;
    const told = done === '2' ? shadowedDecision(decision, charged) : decision;
    const permitted = done !== '0' && this.givesPermits && !(done === '2' && onlyWatches(watching, this.#permitsAt));
    return permitted ? { ...told, permit } : told;
  }

  promised({ done, now, value, states }: Reply, cost: number): StoreReservation {
    const allowed = done === '1';
    const said = this.limits.map((limit, i) => {
      const state = stateOf(limit, states[i] as number[]);
      if (allowed) limit.charge(state, 0, now, cost, undefined);
      return { ...limit.look(state, 0, now, 0), allowed, retryAfterMs: allowed ? 0 : value };
    });
    return { decision: this.#answer(said, allowed ? cost : 0, now), waitMs: value, actAt: now + value };
  }

  #looks(states: readonly number[][], now: number, cost: number): LimitDecision[] {
    return this.limits.map((limit, i) => limit.look(stateOf(limit, states[i] as number[]), 0, now, cost));
  }

  #answer(said: readonly LimitDecision[], granted: number, now: number, watching = 0): Decision {
    return combineDecisions(this.limits, said, 'store', granted, now, watching);
  }
}

function stateOf({ width }: Limit, stored: number[]): number[] {
  return stored.length === 0 ? new Array<number>(width).fill(0) : stored;
}
