// Permissions that are decided by Cedar policies, evaluated in this process by Cedar's own engine. Policies are parsed
// once: parsing them for each request takes more than a hundred times as long as deciding it.
import { hash } from 'node:crypto';
import {
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  OptionsError,
  withheld,
  underPath,
} from '@macadam/core';
import { type CedarOutcome, parseFailureOf, parseCedarAnswer } from './cedar-answer.ts';
import {
  type Decision,
  decisionOf,
  ignoreRejection,
  withCause,
  type Permissions,
  createPermissions,
  type RuleExplanation,
  synchronous,
} from './decision.ts';

/** The identity of a Cedar entity: `{ type: 'Shop::User', id: 'u1' }`. */
export interface CedarEntityId {
  /** The type of the entity, with its namespace. */
  readonly type: string;
  /** The id of the entity. */
  readonly id: string;
}

/** A Cedar entity, with what policies may ask about it. */
export interface CedarEntity {
  /** The identity of the entity. */
  readonly uid: CedarEntityId;
  /** Its attributes. */
  readonly attrs: Readonly<Record<string, unknown>>;
  /** The entities that it belongs to. */
  readonly parents: readonly CedarEntityId[];
  /** Its tags. */
  readonly tags?: Readonly<Record<string, unknown>>;
}

/** The part of `@cedar-policy/cedar-wasm/nodejs` (4) that is used. */
export interface CedarEngine {
  /** Parses policies. */
  preparsePolicySet(id: string, policies: { staticPolicies: never }): CedarParsed;
  /** Parses a schema. */
  preparseSchema(id: string, schema: never): CedarParsed;
  /** Decides about a request, with parsed policies. */
  statefulIsAuthorized(call: never): CedarAnswer;
}

/** The result of parsing by Cedar. */
export type CedarParsed = { type: 'success' } | { type: 'failure'; errors: readonly { readonly message: string }[] };

/** The answer of Cedar to a request. */
export type CedarAnswer =
  | {
      type: 'success';
      response: {
        decision: 'allow' | 'deny';
        diagnostics: { reason: readonly string[]; errors: readonly { readonly policyId: string }[] };
      };
    }
  | { type: 'failure'; errors: readonly { readonly message: string }[] };

/** Options of {@link cedarPermissions}. */
export interface CedarPermissionsOptions<P, R, A extends string = string> {
  /**
   * The engine: `import cedar from '@cedar-policy/cedar-wasm/nodejs'`. Passed in, so that it is not a dependency of
   * this package.
   */
  cedar: CedarEngine;
  /**
   * The policies: one text, or texts by the ids that appear in decisions. The engine keeps everything that it has
   * parsed until the process ends: create new permissions when policies change, not per request.
   */
  policies: string | Readonly<Record<string, string>>;
  /**
   * The schema, in Cedar syntax or as JSON. With one, requests that do not conform to it are not decided. Default:
   * none.
   */
  schema?: string | Readonly<Record<string, unknown>>;
  /** Returns the principal as a Cedar entity: `{ type: 'User', id: 'u1' }`. */
  principalOf: (principal: P) => CedarEntityId;
  /** Returns the resource as a Cedar entity; also called for a request without a resource. */
  resourceOf: (resource: R | undefined) => CedarEntityId;
  /** Returns the action as a Cedar entity. Default: `{ type: 'Action', id: action }`. */
  actionOf?: (action: A) => CedarEntityId;
  /** Returns the entities of a request, with attributes and parents. Default: none. */
  entitiesOf?: (principal: P, resource: R | undefined) => readonly CedarEntity[];
  /** Returns the context of a request. Default: empty. */
  contextOf?: (principal: P, action: A, resource: R | undefined) => Readonly<Record<string, unknown>>;
  /**
   * The decision when a policy fails, since Cedar itself ignores a `forbid` that fails, and when the answer does not
   * have the form of Cedar 4. A request that cannot be built or that Cedar does not accept, since one of the functions
   * throws or returns an invalid value, is denied in any case. Default: `closed`.
   */
  onFailure?: 'closed' | 'open';
  /** Version of the policies. Default: a digest of the policies and the schema. */
  version?: string;
}

const OPTIONS = [
  'cedar',
  'policies',
  'schema',
  'principalOf',
  'resourceOf',
  'actionOf',
  'entitiesOf',
  'contextOf',
  'onFailure',
  'version',
];

/**
 * Creates permissions that Cedar decides, with the interface of `definePermissions`. `rule` of a decision is the first
 * policy that determined it; `explain` returns all of them.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), also for policies and a schema that Cedar cannot parse
 * @example
 * ```ts ignore=Cedar is an optional package
 * import { cedarPermissions } from '@macadam/auth';
 * import cedar from '@cedar-policy/cedar-wasm/nodejs';
 *
 * const can = cedarPermissions<{ id: string }, { id: string }>({
 *   cedar,
 *   policies: 'permit(principal, action == Action::"read", resource);',
 *   principalOf: ({ id }) => ({ type: 'User', id }),
 *   resourceOf: (order) => ({ type: 'Order', id: order?.id ?? '' }),
 * });
 * ```
 */
export function cedarPermissions<P, R, A extends string = string>(
  options: CedarPermissionsOptions<P, R, A>,
): Permissions<P, R, A> {
  assertObject('cedarPermissions', options);
  return underPath('cedarPermissions', () => makeCedarPermissions(options));
}

function makeCedarPermissions<P, R, A extends string = string>(
  options: CedarPermissionsOptions<P, R, A>,
): Permissions<P, R, A> {
  assertKnownOptions('', options, OPTIONS);
  const { cedar, policies, schema, principalOf, resourceOf, onFailure = 'closed' } = options;
  const { actionOf = (id: A) => ({ type: 'Action', id }), entitiesOf = () => [], contextOf = () => ({}) } = options;
  for (const name of ['preparsePolicySet', 'preparseSchema', 'statefulIsAuthorized'] as const) {
    assertFunction(`cedar.${name}`, cedar?.[name]);
  }
  for (const [name, value] of Object.entries({ principalOf, resourceOf, actionOf, entitiesOf, contextOf })) {
    assertFunction(name, value);
  }
  assertOneOf('onFailure', onFailure, ['closed', 'open']);
  const digest = hash('sha256', JSON.stringify([policies, schema]), 'hex').slice(0, 16);
  const version = options.version ?? digest;
  assertText('version', version);
  // The engine stores parsed policies under a name until the process ends. Equal policies get the same name and share them.
  const name = `macadam-${digest}`;
  assertParsed('policies', policies, cedar.preparsePolicySet(name, { staticPolicies: policies as never }));
  if (schema !== undefined) assertParsed('schema', schema, cedar.preparseSchema(name, schema as never));

  const cedarRequestOf = (principal: P, action: A, resource: R | undefined): object => ({
    principal: entityId('principalOf()', principalOf(principal)),
    action: entityId('actionOf()', actionOf(action)),
    resource: entityId('resourceOf()', resourceOf(resource)),
    context: synchronous('contextOf()', contextOf(principal, action, resource)),
    entities: synchronous('entitiesOf()', entitiesOf(principal, resource)),
    preparsedPolicySetId: name,
    ...(schema !== undefined && { preparsedSchemaName: name, validateRequest: true }),
  });
  /** Throws when the request cannot be built, and when the engine cannot read it. */
  const evaluate = (principal: P, action: A, resource: R | undefined): CedarOutcome =>
    parseCedarAnswer(cedar.statefulIsAuthorized(cedarRequestOf(principal, action, resource) as never));
  const undecided = (cause: unknown, allowed: boolean, reason: 'unavailable' | 'ruleFailed'): Decision =>
    withCause(cause, decisionOf(version, allowed, reason));
  const can = (principal: P, action: A, resource?: R): Decision => {
    let outcome: CedarOutcome;
    try {
      outcome = evaluate(principal, action, resource);
    } catch (cause) {
      // Denied even with `onFailure: 'open'`: a caller who can make the request invalid must not be allowed by that.
      return undecided(cause, false, 'unavailable');
    }
    if (outcome.kind !== 'decided') {
      const isRefused = outcome.kind === 'refused';
      return undecided(outcome.cause, !isRefused && onFailure === 'open', isRefused ? 'ruleFailed' : 'unavailable');
    }
    const { allowed, policies, failed } = outcome;
    // Cedar ignores a policy that fails. A denial stands regardless; an allow may be wrong, since a forbid may have failed.
    if (allowed && failed[0] !== undefined) {
      const { policy, cause } = failed[0];
      return withCause(cause, decisionOf(version, onFailure === 'open', 'ruleFailed', policy));
    }
    if (allowed) return decisionOf(version, true, 'allowed', policies[0]);
    return decisionOf(version, false, policies[0] === undefined ? 'noRule' : 'denied', policies[0]);
  };
  const explain = (principal: P, action: A, resource?: R): readonly RuleExplanation[] => {
    let outcome: CedarOutcome | undefined;
    try {
      outcome = evaluate(principal, action, resource);
    } catch {
      outcome = undefined;
    }
    // No policy was evaluated; the `cause` of the decision says why.
    if (outcome?.kind !== 'decided') return [];
    const { allowed, policies, failed } = outcome;
    return [
      ...policies.map((rule): RuleExplanation => ({ rule, effect: allowed ? 'allow' : 'deny', outcome: 'applies' })),
      // Cedar does not report the effect of a failed policy; deny is assumed, as in the decision.
      ...failed.map(({ policy, cause }): RuleExplanation => ({
        rule: policy,
        effect: 'deny',
        outcome: 'failed',
        cause,
      })),
    ];
  };
  return createPermissions(version, can, explain);
}

/** Validates the id of an entity, so that an invalid one fails the request and not the engine. */
function entityId(path: string, id: CedarEntityId): CedarEntityId {
  ignoreRejection(id);
  if (typeof id?.type === 'string' && typeof id.id === 'string') return id;
  throw new OptionsError(path, id, 'an entity id, { type, id }');
}

function assertParsed(path: string, source: unknown, parsed: unknown): void {
  const failure = parseFailureOf(parsed);
  if (failure !== undefined)
    throw new OptionsError(path, withheld(source), `valid for Cedar, which reports: ${failure}`);
}
