import { hash } from 'node:crypto';
import { assertFunction, assertKnownOptions, assertObject, assertText, OptionsError, underPath } from '@macadam/core';
import {
  type Decision,
  decisionOf,
  ignoreRejection,
  withCause,
  type Permissions,
  createPermissions,
  type RuleExplanation,
} from './decision.ts';
import { claimedRoles, expandRoles } from './roles.ts';
import { type CompiledRule, compileRule, type PermissionRequest, type PermissionRule, type Relations } from './rule.ts';
import { type ActionRules, RuleIndex } from './rule-index.ts';

/** Options of {@link definePermissions}. */
export interface PermissionsOptions<P, R, A extends string = string> {
  /** The rules. What no rule allows is denied. */
  rules: readonly PermissionRule<P, R, A>[];
  /** The roles that each role includes: `{ admin: ['editor'], editor: ['reader'] }`. Default: none. */
  roles?: Readonly<Record<string, readonly string[]>>;
  /**
   * Returns the roles of a principal, as a list; anything else throws (`MAC_INVALID_OPTIONS`), so that no deny rule is
   * missed. Default: `roles` of the principal, or of its `claims`; none when both are absent or null.
   */
  rolesOf?: (principal: P) => Iterable<string>;
  /**
   * Relations between a principal and a resource, by name: functions, or those of a `relationGraph`. Called only for
   * rules that name the relation, and requests with a resource. Default: none.
   */
  relations?: Relations<P, R>;
  /** Version of the rules. Default: a digest of them. */
  version?: string;
}

/** A rule with the decisions it can lead to, created once, so that deciding allocates none. */
interface RuleWithDecisions<P, R> extends CompiledRule<P, R> {
  readonly whenApplied: Decision;
  readonly whenFailed: Decision;
}

/**
 * Defines permissions as data and functions. What no rule allows is denied, and a deny rule wins over every allow rule,
 * whatever their order.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { definePermissions } from '@macadam/auth';
 *
 * const can = definePermissions<{ subject: string; roles: string[] }, { ownerId: string; locked: boolean }>({
 *   roles: { admin: ['support'] },
 *   rules: [
 *     { id: 'own orders', actions: ['order:*'], where: { ownerId: { principal: 'subject' } } },
 *     { id: 'support reads', actions: ['order:read'], roles: ['support'] },
 *     { id: 'locked', effect: 'deny', actions: ['order:cancel'], where: { locked: true } },
 *   ],
 * });
 * const order = { ownerId: 'u1', locked: true };
 * console.log(can({ subject: 'u1', roles: [] }, 'order:cancel', order)); // { allowed: false, reason: 'denied', rule: 'locked', … }
 * ```
 */
export function definePermissions<P, R = unknown, A extends string = string>(
  options: PermissionsOptions<P, R, A>,
): Permissions<P, R, A> {
  assertObject('definePermissions', options);
  return underPath('definePermissions', () => makePermissions(options));
}

function makePermissions<P, R = unknown, A extends string = string>(
  options: PermissionsOptions<P, R, A>,
): Permissions<P, R, A> {
  assertKnownOptions('', options, ['rules', 'roles', 'rolesOf', 'relations', 'version']);
  const { rules, roles = {}, rolesOf = claimedRoles, relations = {} } = options;
  if (!Array.isArray(rules)) throw new OptionsError('rules', rules, 'a list of rules');
  assertFunction('rolesOf', rolesOf);
  assertObject('relations', relations);
  for (const [name, relation] of Object.entries(relations)) assertFunction(`relations.${name}`, relation);
  const compiled = rules.map((rule: PermissionRule<P, R>, at) => compileRule(`rules[${at}]`, rule, relations));
  if (new Set(compiled.map(({ id }) => id)).size < compiled.length) {
    throw new OptionsError('rules', rules, 'a list of rules with different ids');
  }
  const included = expandRoles(roles);
  const version = options.version ?? digestOf([rules, roles, relations, rolesOf]);
  assertText('version', version);
  const noRule = decisionOf(version, false, 'noRule');
  const index = new RuleIndex<P, R, RuleWithDecisions<P, R>>(
    compiled.map((rule) => {
      const allowed = rule.effect === 'allow';
      const whenApplied = decisionOf(version, allowed, allowed ? 'allowed' : 'denied', rule.id);
      return { ...rule, whenApplied, whenFailed: allowed ? noRule : decisionOf(version, false, 'ruleFailed', rule.id) };
    }),
  );

  const decide = (principal: P, action: string, resource: R | undefined, heldRoles: Iterable<string>): Decision => {
    const request: PermissionRequest<P, R> = { principal, action, resource };
    const { forEveryone, byRole } = index.rulesFor(action);
    let decision = applyRules(forEveryone, request, noRule);
    if (byRole.size === 0) return decision;
    for (const heldRole of heldRoles) {
      for (const role of included.get(heldRole) ?? [heldRole]) {
        if (!decision.allowed && decision !== noRule) return decision;
        const list = byRole.get(role);
        if (list !== undefined) decision = applyRules(list, request, decision);
      }
    }
    return decision;
  };

  const rolesHeldBy = (principal: P): Iterable<string> => {
    const heldRoles: unknown = rolesOf(principal);
    if (typeof heldRoles === 'object' && heldRoles !== null && Symbol.iterator in heldRoles)
      return heldRoles as Iterable<string>;
    ignoreRejection(heldRoles);
    throw new OptionsError('rolesOf()', heldRoles, 'a list of roles');
  };
  return createPermissions(
    version,
    (principal, action, resource) => decide(principal, action, resource, rolesHeldBy(principal)),
    (principal, action, resource) => {
      const explanations = [...rulesFor(index.rulesFor(action), rolesHeldBy(principal), included)].map((rule) => {
        return explanationOf(rule, evaluate(rule, { principal, action, resource }));
      });
      return [
        ...explanations.filter(({ effect }) => effect === 'deny'),
        ...explanations.filter(({ effect }) => effect === 'allow'),
      ];
    },
    (principal, action, resources) => {
      const heldRoles = [...rolesHeldBy(principal)];
      return resources.map((resource) => decide(principal, action, resource, heldRoles));
    },
  );
}

/**
 * Applies a list of rules to the current decision. The first deny rule that applies is final; an allow can still be
 * denied.
 */
function applyRules<P, R>(
  rules: readonly RuleWithDecisions<P, R>[],
  request: PermissionRequest<P, R>,
  current: Decision,
): Decision {
  let decision = current;
  for (const rule of rules) {
    // Deny rules come first in each list, so none follows in this one; a later list may still deny.
    if (rule.effect === 'allow' && decision.allowed) break;
    const evaluation = evaluate(rule, request);
    if (evaluation === 'doesNotApply') continue;
    if (rule.effect === 'deny')
      return evaluation === 'applies' ? rule.whenApplied : withCause(evaluation.cause, rule.whenFailed);
    if (evaluation === 'applies') decision = rule.whenApplied;
  }
  return decision;
}

function rulesFor<C>(
  { forEveryone, byRole }: ActionRules<C>,
  heldRoles: Iterable<string>,
  included: ReadonlyMap<string, readonly string[]>,
): Set<C> {
  const found = new Set(forEveryone);
  for (const heldRole of heldRoles) {
    for (const role of included.get(heldRole) ?? [heldRole]) for (const rule of byRole.get(role) ?? []) found.add(rule);
  }
  return found;
}

/** Whether a rule applies, or the error why that is unknown. */
type Evaluation = 'applies' | 'doesNotApply' | { readonly cause: unknown };

function evaluate<P, R>(rule: CompiledRule<P, R>, request: PermissionRequest<P, R>): Evaluation {
  try {
    for (const condition of rule.conditions) {
      const result: unknown = condition(request);
      if (result === true) continue;
      if (result === false) return 'doesNotApply';
      // A condition has to return a boolean. With anything else the rule fails: an allow does not apply, and a deny does.
      ignoreRejection(result);
      const returned = result instanceof Promise ? 'a promise' : typeof result;
      return { cause: new TypeError(`A condition of "${rule.id}" returned ${returned} instead of true or false.`) };
    }
    return 'applies';
  } catch (cause) {
    return { cause };
  }
}

function explanationOf<P, R>({ id, effect }: CompiledRule<P, R>, evaluation: Evaluation): RuleExplanation {
  if (typeof evaluation === 'string') return { rule: id, effect, outcome: evaluation };
  return { rule: id, effect, outcome: 'failed', cause: evaluation.cause };
}

function digestOf(parts: readonly unknown[]): string {
  const text = JSON.stringify(parts, (_, value: unknown) => (typeof value === 'function' ? String(value) : value));
  return hash('sha256', text, 'hex').slice(0, 16);
}
