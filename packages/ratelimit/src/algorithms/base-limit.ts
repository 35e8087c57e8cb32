import type { LimitDecision } from '../decision.ts';
import {
  slackOf,
  stepOf,
  type Limit,
  type LimitKind,
  type StateNumbers,
  type LimitStep,
  type MutableDecision,
} from './limit.ts';

type LimitFields = Pick<Limit, 'enforce' | 'limit' | 'name' | 'parameters' | 'periodMs' | 'width'> & {
  /** Default: the limit. */
  readonly capacity?: number;
};

/** The fields and the `step` that all limits have in common. The subclasses contain the algorithms. */
export abstract class BaseLimit implements Limit {
  abstract readonly kind: LimitKind;
  readonly name: string;
  readonly limit: number;
  readonly periodMs: number;
  readonly capacity: number;
  readonly width: number;
  readonly parameters: readonly number[];
  readonly enforce: number;
  /** `slackOf` the capacity. */
  protected readonly slack: number;

  constructor({ name, limit, periodMs, capacity = limit, width, parameters, enforce }: LimitFields) {
    this.name = name;
    this.limit = limit;
    this.periodMs = periodMs;
    this.capacity = capacity;
    this.width = width;
    this.parameters = parameters;
    this.enforce = enforce;
    this.slack = slackOf(capacity);
  }

  step(state: readonly number[], now: number, cost: number): LimitStep {
    return stepOf(this, state, now, cost);
  }

  abstract look(state: StateNumbers, base: number, now: number, cost: number, into?: MutableDecision): LimitDecision;
  abstract commit(state: StateNumbers, base: number, now: number, cost: number, id: number): void;
  abstract charge(state: StateNumbers, base: number, now: number, amount: number, stamp: number | undefined): void;
  abstract expiresAt(state: StateNumbers, base: number): number;
  abstract inherit(
    from: StateNumbers,
    fromBase: number,
    parameters: readonly number[],
    into: StateNumbers,
    base: number,
    now: number,
  ): void;
  abstract share(parts: number): Limit;
  abstract describe(): string;
}
