import type { Limit } from '../algorithms/limit.ts';
import type { Decision, LimitDecision } from '../decision.ts';
import {
  allOnlyWatch,
  combineDecisions,
  blockedDecisions,
  blockedMs,
  shadowedDecision,
  onlyWatches,
} from '../store/combine-decisions.ts';
import type { StoreReservation, TakeMode } from '../store/store.ts';
import { TokenBucketCommand } from './token-bucket-command.ts';
import { Script, type RedisClient } from './client.ts';
import { blockSuffix, limitArguments, keySuffixes, type Reply } from './script-format.ts';
import { decideScript } from './scripts/decide.ts';
import { IncrexCommand } from './increx-command.ts';

/**
 * An immutable list of limits with all that follows from it: the Redis keys, the arguments of scripts, and how their
 * replies become decisions. `setLimits` replaces the set; a request in flight is decided by the set it was sent with.
 */
export class LimitSet {
  readonly limits: readonly Limit[];
  readonly script: Script;
  /** Defined if there is a single limit, and it is a token bucket. */
  readonly bucket: TokenBucketCommand | undefined;
  /** Defined if there is a single limit, a fixed window, that `INCREX` may be able to count. */
  readonly window: IncrexCommand | undefined;
  readonly #suffixes: readonly string[];
  readonly #blockSuffix: string;
  /** The arguments of the general script for each limit. */
  readonly #plainArguments: readonly (readonly string[])[];
  /** The same where fixed windows are stored in the form of `INCREX`. */
  readonly #counterArguments: readonly (readonly string[])[];
  readonly #permitLimitIndex: number;

  constructor(client: RedisClient, name: string, limits: readonly Limit[], time: (() => number) | undefined) {
    this.limits = limits;
    this.script = Script.of(decideScript(limits.map(({ kind }) => kind)));
    const [limit] = limits as [Limit];
    const single = limits.length === 1;
    this.bucket = single && limit.kind === 'tokenBucket' ? new TokenBucketCommand(client, limit, time) : undefined;
    this.window = time === undefined ? IncrexCommand.of(client, limits) : undefined;
    this.#suffixes = keySuffixes(name, limits);
    this.#blockSuffix = blockSuffix(name);
    this.#plainArguments = limits.map((one) => limitArguments(one, false));
    this.#counterArguments = limits.map((one) => limitArguments(one, true));
    this.#permitLimitIndex = limits.findIndex(({ kind }) => kind === 'concurrency');
  }

  get grantsPermits(): boolean {
    return this.#permitLimitIndex >= 0;
  }

  /** The Redis keys of a subject: in the order of the limits, then that of its block. */
  keysOf(subject: string): string[] {
    const keys = this.#suffixes.map((suffix) => subject + suffix);
    keys.push(this.blockKeyOf(subject));
    return keys;
  }

  /** The Redis key of the block of a subject. */
  blockKeyOf(subject: string): string {
    return subject + this.#blockSuffix;
  }

  /** The Redis key of a subject, for a set of one limit. */
  singleKeyOf(subject: string): string {
    return subject + (this.#suffixes[0] as string);
  }

  /** The arguments of the general script for a subject. `extra` is a number whose meaning depends on the operation. */
  argumentsFor(amount: number, extra: number | undefined, watching: number): string[] {
    const forLimits = this.window?.inUse === true ? this.#counterArguments : this.#plainArguments;
    const args = forLimits.flatMap((one, i) => [...one, onlyWatches(watching, i) ? '1' : '0']);
    return [String(this.limits.length), String(amount), extra === undefined ? '' : String(extra), ...args];
  }

  /** Computes the decision from the reply to a `take`, `upTo`, `each` or `peek`, which has the states before it. */
  decisionFrom(reply: Reply, cost: number, mode: TakeMode, permit: number, watching: number): Decision {
    const { done, now, blockedUntil, value, states } = reply;
    const waitMs = blockedMs(blockedUntil, now);
    if (waitMs > 0) {
      const lookThen = (one: number): LimitDecision[] => this.#look(states, now + waitMs, one);
      const asked = mode === 'upTo' ? Math.min(cost, 1) : cost;
      const denied = this.#combine(blockedDecisions(lookThen, asked, waitMs, watching), 0, now);
      return done === '2' ? shadowedDecision(denied, 0) : denied;
    }
    if (mode === 'peek') return this.#combine(this.#look(states, now, cost), 0, now);
    const wanted = mode === 'upTo' && value === 0 ? Math.min(cost, 1) : value;
    const decisions = this.#look(states, now, wanted);
    if (done !== '1') {
      // The decision of a limit that is not charged must not count the cost in `remaining`.
      const uncharged = this.limits.length === 1 ? decisions : this.#look(states, now, 0);
      decisions.forEach((decision, i) => {
        const isCharged = done === '2' && !onlyWatches(watching, i);
        if (decision.allowed && !isCharged) decisions[i] = uncharged[i] as LimitDecision;
      });
    }
    const decided = this.#combine(decisions, done === '0' ? 0 : value, now, watching);
    const charged = allOnlyWatch(watching, this.limits.length) ? 0 : value;
    const decision = done === '2' ? shadowedDecision(decided, charged) : decided;
    const permitWatches = done === '2' && onlyWatches(watching, this.#permitLimitIndex);
    return done !== '0' && this.grantsPermits && !permitWatches ? { ...decision, permit } : decision;
  }

  reservationFrom({ done, now, blockedUntil, value, states }: Reply, cost: number): StoreReservation {
    const allowed = done === '1';
    const decisions = this.limits.map((limit, i) => {
      const state = stateOf(limit, states[i] as number[]);
      if (allowed) limit.charge(state, 0, now + blockedMs(blockedUntil, now), cost, undefined);
      return { ...limit.look(state, 0, now, 0), allowed, retryAfterMs: allowed ? 0 : value };
    });
    const actAt = now + value;
    const decision = allowed ? this.#combine(decisions, cost, actAt) : this.#combine(decisions, 0, now);
    return { decision, waitMs: value, actAt };
  }

  #look(states: readonly number[][], now: number, cost: number): LimitDecision[] {
    return this.limits.map((limit, i) => limit.look(stateOf(limit, states[i] as number[]), 0, now, cost));
  }

  #combine(decisions: readonly LimitDecision[], granted: number, now: number, watching = 0): Decision {
    return combineDecisions(this.limits, decisions, 'store', granted, now, watching);
  }
}

function stateOf({ width }: Limit, stored: number[]): number[] {
  return stored.length === 0 ? new Array<number>(width).fill(0) : stored;
}
