// Parses the answers of the Cedar engine. The engine is passed in by the user and may have another version, so its answers
// are validated like responses from a network.
import { ignoreRejection } from './decision.ts';

/** What the engine answered. */
export type CedarOutcome =
  | CedarDecision
  /** Cedar refused the request as invalid, or the answer does not have the form of Cedar 4. */
  | { readonly kind: 'refused' | 'malformed'; readonly cause: CedarError };

/** A decision of Cedar, with the policies that determined it. */
export interface CedarDecision {
  readonly kind: 'decided';
  readonly allowed: boolean;
  /** Ids of the policies that determined the decision. */
  readonly policies: readonly string[];
  readonly failed: readonly FailedPolicy[];
}

/** A policy that Cedar could not evaluate, and therefore ignored. */
export interface FailedPolicy {
  readonly policy: string;
  readonly cause: CedarError;
}

/** Cedar did not decide, or could not evaluate a policy. The message contains that of Cedar. */
export class CedarError extends Error {}
CedarError.prototype.name = 'CedarError';

const UNEXPECTED_FORM = 'its answer does not have the form of Cedar 4';

export function parseCedarAnswer(answer: unknown): CedarOutcome {
  ignoreRejection(answer);
  const { type, response, errors } = fieldsOf(answer);
  if (type === 'failure') return undecided('refused', firstMessageOf(errors) ?? UNEXPECTED_FORM);
  const { decision, diagnostics } = fieldsOf(response);
  const { reason, errors: failed } = fieldsOf(diagnostics);
  const isWellFormed =
    type === 'success' &&
    (decision === 'allow' || decision === 'deny') &&
    Array.isArray(reason) &&
    reason.every(isText) &&
    Array.isArray(failed);
  if (!isWellFormed) return undecided('malformed', UNEXPECTED_FORM);
  return { kind: 'decided', allowed: decision === 'allow', policies: reason, failed: failed.map(failedPolicyOf) };
}

function undecided(kind: 'refused' | 'malformed', why: string): CedarOutcome {
  return { kind, cause: new CedarError(`Cedar did not decide: ${why}`) };
}

/** Why Cedar could not parse policies or a schema; `undefined` when it could. */
export function parseFailureOf(parsed: unknown): string | undefined {
  ignoreRejection(parsed);
  const { type, errors } = fieldsOf(parsed);
  return type === 'success' ? undefined : (firstMessageOf(errors) ?? UNEXPECTED_FORM);
}

function failedPolicyOf(given: unknown): FailedPolicy {
  const { policyId, error } = fieldsOf(given);
  const policy = isText(policyId) ? policyId : 'a policy without an id';
  return {
    policy,
    cause: new CedarError(`Cedar could not evaluate "${policy}": ${firstMessageOf([error]) ?? UNEXPECTED_FORM}`),
  };
}

function firstMessageOf(errors: unknown): string | undefined {
  const { message } = fieldsOf(Array.isArray(errors) ? errors[0] : undefined);
  return isText(message) ? message : undefined;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
