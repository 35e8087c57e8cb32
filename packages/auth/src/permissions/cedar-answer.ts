// What Cedar says, read as strictly as what comes over a network: the engine is handed in, and may be of another version.
import { disown } from './decision.ts';

/** What Cedar decided, and what that rests on. */
export interface CedarVerdict {
  readonly allowed: boolean;
  /** The policies that it rests on. */
  readonly rules: readonly string[];
  readonly failed: readonly FailedPolicy[];
}

/** A policy that could not be evaluated. */
export interface FailedPolicy {
  readonly rule: string;
  readonly cause: CedarError;
}

/** Cedar did not decide, or could not evaluate a policy. Says why in Cedar's words. */
export class CedarError extends Error {}
CedarError.prototype.name = 'CedarError';

const OTHER = 'it answered with something else than Cedar 4 does';

/** @throws CedarError for an answer that decides nothing. */
export function verdictIn(answer: unknown): CedarVerdict {
  disown(answer);
  const { type, response, errors } = fieldsOf(answer);
  if (type !== 'success') throw new CedarError(`Cedar does not decide: ${messageIn(errors) ?? OTHER}`);
  const { decision, diagnostics } = fieldsOf(response);
  const { reason, errors: failed } = fieldsOf(diagnostics);
  const readable =
    (decision === 'allow' || decision === 'deny') &&
    Array.isArray(reason) &&
    reason.every(isText) &&
    Array.isArray(failed);
  if (!readable) throw new CedarError(`Cedar does not decide: ${OTHER}`);
  return { allowed: decision === 'allow', rules: reason, failed: failed.map(failureIn) };
}

/** Why Cedar could not read what it was given; `undefined` when it could. */
export function faultIn(parsed: unknown): string | undefined {
  disown(parsed);
  const { type, errors } = fieldsOf(parsed);
  return type === 'success' ? undefined : (messageIn(errors) ?? OTHER);
}

function failureIn(given: unknown): FailedPolicy {
  const { policyId, error } = fieldsOf(given);
  const rule = isText(policyId) ? policyId : 'a policy without a name';
  return { rule, cause: new CedarError(`Cedar could not evaluate "${rule}": ${messageIn([error]) ?? OTHER}`) };
}

function messageIn(errors: unknown): string | undefined {
  const { message } = fieldsOf(Array.isArray(errors) ? errors[0] : undefined);
  return isText(message) ? message : undefined;
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
