import { OptionsError } from '@macadam/core';
import { ForbiddenError } from '../errors.ts';

/** Why a {@link Decision} was made. */
export type DecisionReason =
  /** A rule or policy allows it. */
  | 'allowed'
  /** A rule or policy denies it. */
  | 'denied'
  /** No rule applies, so it is denied. */
  | 'noRule'
  /**
   * The condition of a deny rule threw, a policy could not be evaluated, or the permission service refused the request as
   * invalid.
   */
  | 'ruleFailed'
  /**
   * The request could not be made, and is denied, or the permission service did not answer; then `allowed` follows the
   * option `onFailure`.
   */
  | 'unavailable';

/** Whether an action is allowed, and why. Frozen. */
export interface Decision {
  /** Whether the action is allowed. */
  readonly allowed: boolean;
  /** Why it is allowed or denied. */
  readonly reason: DecisionReason;
  /** The id of the rule that decided; undefined when none did. */
  readonly rule: string | undefined;
  /** The version of the permissions that decided. Make it part of any key under which you cache a decision. */
  readonly policyVersion: string;
  /** The error behind `unavailable` or `ruleFailed`. Holds no credential. */
  readonly cause?: unknown;
}

/** Creates a frozen decision. */
export function decisionOf(policyVersion: string, allowed: boolean, reason: DecisionReason, rule?: string): Decision {
  return Object.freeze({ allowed, reason, rule, policyVersion });
}

/** A copy of the decision with the error that led to it. */
export function withCause(cause: unknown, decision: Decision): Decision {
  return Object.freeze({ ...decision, cause });
}

/**
 * Handles the rejection of a promise that was returned where only synchronous results are allowed. The promise itself is
 * reported by the caller; its rejection must not end the process as an unhandled one.
 */
export function ignoreRejection(result: unknown): void {
  if (result instanceof Promise) result.catch(() => {});
}

/**
 * Rejects promises, which would be sent as objects without fields.
 * @throws OptionsError
 */
export function synchronous<T>(path: string, value: T): T {
  if (!(value instanceof Promise)) return value;
  ignoreRejection(value);
  throw new OptionsError(path, 'a promise', 'returned synchronously');
}

/** The outcome of one rule. */
export interface RuleExplanation {
  /** The id of the rule. */
  readonly rule: string;
  /** What the rule does when it applies. */
  readonly effect: 'allow' | 'deny';
  /** Whether the rule applies. `failed`: its condition threw. */
  readonly outcome: 'applies' | 'doesNotApply' | 'failed';
  /** The error of a rule that failed, if it is known. */
  readonly cause?: unknown;
}

/** Decides about actions, in memory. Call it, or one of its methods. */
export interface Permissions<P, R, A extends string = string> {
  /** Decides whether the principal may perform the action on the resource. */
  (principal: P, action: A, resource?: R): Decision;
  /** Decides about many resources at once; the decisions are in their order. */
  many(principal: P, action: A, resources: readonly R[]): Decision[];
  /**
   * Throws unless the action is allowed.
   * @throws ForbiddenError (`MAC_FORBIDDEN`)
   */
  assert(principal: P, action: A, resource?: R): void;
  /** Returns the outcome of each rule about the action and the roles of the principal, deny rules first. */
  explain(principal: P, action: A, resource?: R): readonly RuleExplanation[];
  /** The version of the rules; part of every decision. */
  readonly version: string;
}

/** Creates the public function with its methods from `decide` and `explain`. */
export function createPermissions<P, R, A extends string>(
  version: string,
  decide: (principal: P, action: A, resource?: R) => Decision,
  explain: Permissions<P, R, A>['explain'],
  many: Permissions<P, R, A>['many'] = (principal, action, resources) =>
    resources.map((one) => decide(principal, action, one)),
): Permissions<P, R, A> {
  return Object.assign((principal: P, action: A, resource?: R) => decide(principal, action, resource), {
    version,
    many,
    explain,
    assert: (principal: P, action: A, resource?: R) => assertAllowed(action, decide(principal, action, resource)),
  });
}

/** @throws ForbiddenError (`MAC_FORBIDDEN`) */
export function assertAllowed(action: string, decision: Decision): void {
  if (!decision.allowed) throw new ForbiddenError(action, decision);
}
