import { ForbiddenError } from '../errors.ts';

/** Whether something is allowed, and why. Frozen. */
export interface Decision {
  readonly allowed: boolean;
  /**
   * `allowed` or `denied` by a rule; `no_rule` applies, so it is denied; `rule_failed`: the condition of a denial threw, or
   * a policy could not be evaluated; `unavailable`: whoever decides could not be asked, and the answer is that of `onFailure`.
   */
  readonly reason: 'allowed' | 'denied' | 'no_rule' | 'rule_failed' | 'unavailable';
  /** The rule that decided. */
  readonly rule: string | undefined;
  /** Which permissions it was decided by: part of any key under which a decision is kept. */
  readonly policyVersion: string;
  /** Why nobody could say, with `unavailable` and `rule_failed`. Holds no credential. */
  readonly cause?: unknown;
}

/** Makes the decisions of one version of the rules. */
export function decisionOf(
  policyVersion: string,
  allowed: boolean,
  reason: Decision['reason'],
  rule?: string,
): Decision {
  return Object.freeze({ allowed, reason, rule, policyVersion });
}

/** The same decision, with what it is due to. */
export function dueTo(cause: unknown, decision: Decision): Decision {
  return Object.freeze({ ...decision, cause });
}

/** For what was answered where nobody can wait: a promise is no answer, and what becomes of it must not end the process. */
export function disown(answer: unknown): void {
  if (answer instanceof Promise) answer.catch(() => {});
}

/** What one rule had to say. */
export interface RuleExplanation {
  readonly rule: string;
  readonly effect: 'allow' | 'deny';
  readonly outcome: 'applies' | 'does not apply' | 'failed';
  /** Why it failed, where that is known. */
  readonly cause?: unknown;
}

/** Decides, in memory. Call it, or one of its ways of asking. */
export interface Permissions<P, R, A extends string = string> {
  (principal: P, action: A, resource?: R): Decision;
  /** Decides for many resources at once, in their order. */
  many(principal: P, action: A, resources: readonly R[]): Decision[];
  /** @throws ForbiddenError (`MAC_FORBIDDEN`) unless it is allowed. */
  assert(principal: P, action: A, resource?: R): void;
  /** What each rule about the action and the roles of the principal has to say, denials first. */
  explain(principal: P, action: A, resource?: R): readonly RuleExplanation[];
  readonly version: string;
}

/** The ways of asking, made of the one way of deciding. */
export function permissionsOf<P, R, A extends string>(
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
