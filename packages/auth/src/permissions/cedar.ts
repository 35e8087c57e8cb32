// Policies in Cedar, evaluated by its own engine in this process. Policies are parsed once: parsing them for each question
// costs more than a hundred times what the answer does.
import { hash } from 'node:crypto';
import {
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  OptionsError,
  withheld,
} from '@macadam/core';
import { type Decision, decisionOf, type Permissions, permissionsOf, type RuleExplanation } from './decision.ts';

/** Names an entity of Cedar: `{ type: 'Shop::User', id: 'u1' }`. */
export interface CedarEntityId {
  readonly type: string;
  readonly id: string;
}

/** An entity with what policies may ask about it. */
export interface CedarEntity {
  readonly uid: CedarEntityId;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly parents: readonly CedarEntityId[];
  readonly tags?: Readonly<Record<string, unknown>>;
}

/** The part of `@cedar-policy/cedar-wasm/nodejs` (4) that is used. */
export interface CedarEngine {
  preparsePolicySet(id: string, policies: { staticPolicies: never }): CedarParsed;
  preparseSchema(id: string, schema: never): CedarParsed;
  statefulIsAuthorized(call: never): CedarAnswer;
}

/** What Cedar says of what it was given to read. */
export type CedarParsed = { type: 'success' } | { type: 'failure'; errors: readonly { readonly message: string }[] };

/** What Cedar answers. */
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
  /** `import cedar from '@cedar-policy/cedar-wasm/nodejs'`. Handed in, so that who has no Cedar has nothing of it. */
  cedar: CedarEngine;
  /** The policies: a text, or texts by the names that decisions give. */
  policies: string | Readonly<Record<string, string>>;
  /** The schema, in Cedar's own syntax or as JSON. With one, questions that do not fit it are not decided. Default: none. */
  schema?: string | Readonly<Record<string, unknown>>;
  /** Whose permission it is, as Cedar names it: `{ type: 'User', id: 'u1' }`. */
  principalOf: (principal: P) => CedarEntityId;
  /** What is to be done something with, as Cedar names it; also where a question names no resource. */
  resourceOf: (resource: R | undefined) => CedarEntityId;
  /** Default: `{ type: 'Action', id: action }`. */
  actionOf?: (action: A) => CedarEntityId;
  /** What is known of them: attributes, groups, parents. Default: nothing. */
  entitiesOf?: (principal: P, resource: R | undefined) => readonly CedarEntity[];
  /** Default: empty. */
  contextOf?: (principal: P, action: A, resource: R | undefined) => Readonly<Record<string, unknown>>;
  /**
   * The answer where Cedar gives none, and where a policy fails: Cedar itself passes over a `forbid` that fails. Where a
   * name cannot be had of the principal, the action or the resource, it is no in any case. Default: `closed`.
   */
  onFailure?: 'closed' | 'open';
  /** Default: a digest of the policies and the schema. */
  version?: string;
}

/** Whom a question is about. */
interface CedarNames {
  readonly principal: CedarEntityId;
  readonly action: CedarEntityId;
  readonly resource: CedarEntityId;
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
 * Permissions that Cedar decides, in the form of `definePermissions`. `rule` of a decision is the first policy that it
 * rests on; `explain` names all of them.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), also for policies or a schema that Cedar cannot read, with what it says.
 */
export function cedarPermissions<P, R, A extends string = string>(
  options: CedarPermissionsOptions<P, R, A>,
): Permissions<P, R, A> {
  assertObject('options', options);
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
  // The engine keeps what it parsed under a name, for good; the same policies have the same name.
  const name = `macadam-${digest}`;
  assertRead('policies', policies, cedar.preparsePolicySet(name, { staticPolicies: policies as never }));
  if (schema !== undefined) assertRead('schema', schema, cedar.preparseSchema(name, schema as never));

  const namesOf = (principal: P, action: A, resource: R | undefined): CedarNames => ({
    principal: principalOf(principal),
    action: actionOf(action),
    resource: resourceOf(resource),
  });
  const ask = (names: CedarNames, principal: P, action: A, resource: R | undefined): CedarAnswer => {
    const call = {
      ...names,
      context: contextOf(principal, action, resource),
      entities: entitiesOf(principal, resource),
      preparsedPolicySetId: name,
      ...(schema !== undefined && { preparsedSchemaName: name, validateRequest: true }),
    };
    return cedar.statefulIsAuthorized(call as never);
  };
  const unavailable = decisionOf(version, onFailure === 'open', 'unavailable');
  const can = (principal: P, action: A, resource?: R): Decision => {
    let names: CedarNames;
    try {
      names = namesOf(principal, action, resource);
    } catch {
      // Nobody failed to answer: there was no question, and whoever has no name may do nothing.
      return decisionOf(version, false, 'unavailable');
    }
    let answer: CedarAnswer;
    try {
      answer = ask(names, principal, action, resource);
    } catch {
      return unavailable;
    }
    if (answer.type !== 'success') return unavailable;
    const { decision, diagnostics } = answer.response;
    const [failed] = diagnostics.errors;
    const [rule] = diagnostics.reason;
    // A denial stands whatever else failed; an allow might be one only because a forbid did.
    if (decision === 'allow' && failed !== undefined) {
      return decisionOf(version, onFailure === 'open', 'rule_failed', failed.policyId);
    }
    if (decision === 'allow') return decisionOf(version, true, 'allowed', rule);
    return decisionOf(version, false, rule === undefined ? 'no_rule' : 'denied', rule);
  };
  return permissionsOf(version, can, (principal, action, resource): readonly RuleExplanation[] => {
    const answer = ask(namesOf(principal, action, resource), principal, action, resource);
    if (answer.type !== 'success') return [];
    const { decision, diagnostics } = answer.response;
    const effect = decision === 'allow' ? 'allow' : 'deny';
    return [
      ...diagnostics.reason.map((rule): RuleExplanation => ({ rule, effect, outcome: 'applies' })),
      // Cedar does not tell the effect of a policy that failed; it is to be feared that it was a forbid.
      ...diagnostics.errors.map(({ policyId }): RuleExplanation => ({
        rule: policyId,
        effect: 'deny',
        outcome: 'failed',
      })),
    ];
  });
}

function assertRead(path: string, given: unknown, parsed: CedarParsed): void {
  if (parsed.type === 'success') return;
  throw new OptionsError(
    path,
    withheld(given),
    `readable for Cedar, which says: ${parsed.errors[0]?.message ?? 'nothing'}`,
  );
}
