import { hash } from 'node:crypto';
import { assertFunction, assertKnownOptions, assertObject, assertText, OptionsError, underPath } from '@macadam/core';
import {
  type Decision,
  decisionOf,
  disown,
  dueTo,
  type Permissions,
  permissionsOf,
  type RuleExplanation,
} from './decision.ts';
import { claimedRoles, closeRoles } from './roles.ts';
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
   * missed. Default: `roles` of the principal, or of its `claims`, if that is a list.
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

/** A rule with the decisions it can lead to, made once: a check allocates none. */
interface DecidingRule<P, R> extends CompiledRule<P, R> {
  readonly applied: Decision;
  readonly failed: Decision;
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
    throw new OptionsError('rules', rules, 'a list in which each id is there once');
  }
  const included = closeRoles(roles);
  const version = options.version ?? digestOf([rules, roles, relations, rolesOf]);
  assertText('version', version);
  const noRule = decisionOf(version, false, 'noRule');
  const index = new RuleIndex<P, R, DecidingRule<P, R>>(
    compiled.map((rule) => {
      const allowed = rule.effect === 'allow';
      const applied = decisionOf(version, allowed, allowed ? 'allowed' : 'denied', rule.id);
      return { ...rule, applied, failed: allowed ? noRule : decisionOf(version, false, 'ruleFailed', rule.id) };
    }),
  );

  const decide = (principal: P, action: string, resource: R | undefined, held: Iterable<string>): Decision => {
    const request: PermissionRequest<P, R> = { principal, action, resource };
    const { anybody, byRole } = index.find(action);
    let decision = weigh(anybody, request, noRule);
    if (byRole.size === 0) return decision;
    for (const role of held) {
      for (const one of included.get(role) ?? [role]) {
        if (!decision.allowed && decision !== noRule) return decision;
        const list = byRole.get(one);
        if (list !== undefined) decision = weigh(list, request, decision);
      }
    }
    return decision;
  };

  const heldBy = (principal: P): Iterable<string> => {
    const held: unknown = rolesOf(principal);
    if (typeof held === 'object' && held !== null && Symbol.iterator in held) return held as Iterable<string>;
    disown(held);
    throw new OptionsError('rolesOf()', held, 'a list of roles');
  };
  return permissionsOf(
    version,
    (principal, action, resource) => decide(principal, action, resource, heldBy(principal)),
    (principal, action, resource) => {
      const told = [...rulesFor(index.find(action), heldBy(principal), included)].map((rule) => {
        return explained(rule, judge(rule, { principal, action, resource }));
      });
      return [...told.filter(({ effect }) => effect === 'deny'), ...told.filter(({ effect }) => effect === 'allow')];
    },
    (principal, action, resources) => {
      const held = [...heldBy(principal)];
      return resources.map((resource) => decide(principal, action, resource, held));
    },
  );
}

/** The decision after one more list of rules: a denial is the last word, an allow stands until there is one. */
function weigh<P, R>(
  rules: readonly DecidingRule<P, R>[],
  request: PermissionRequest<P, R>,
  before: Decision,
): Decision {
  let decision = before;
  for (const rule of rules) {
    // Denials stand first in each list, but other lists may have more of them.
    if (rule.effect === 'allow' && decision.allowed) break;
    const outcome = judge(rule, request);
    if (outcome === 'doesNotApply') continue;
    if (rule.effect === 'deny') return outcome === 'applies' ? rule.applied : dueTo(outcome.cause, rule.failed);
    if (outcome === 'applies') decision = rule.applied;
  }
  return decision;
}

function rulesFor<C>(
  { anybody, byRole }: ActionRules<C>,
  held: Iterable<string>,
  included: ReadonlyMap<string, readonly string[]>,
): Set<C> {
  const found = new Set(anybody);
  for (const role of held) {
    for (const one of included.get(role) ?? [role]) for (const rule of byRole.get(one) ?? []) found.add(rule);
  }
  return found;
}

/** What a rule has to say, or what kept it from saying anything. */
type Judged = 'applies' | 'doesNotApply' | { readonly cause: unknown };

function judge<P, R>(rule: CompiledRule<P, R>, request: PermissionRequest<P, R>): Judged {
  try {
    for (const condition of rule.conditions) {
      const answer: unknown = condition(request);
      if (answer === true) continue;
      if (answer === false) return 'doesNotApply';
      // A promise, or nothing at all, is no answer; in doubt an allow does not apply, and a deny does.
      disown(answer);
      const given = answer instanceof Promise ? 'a promise' : typeof answer;
      return { cause: new TypeError(`A condition of "${rule.id}" gave ${given}, not true or false.`) };
    }
    return 'applies';
  } catch (cause) {
    return { cause };
  }
}

function explained<P, R>({ id, effect }: CompiledRule<P, R>, judged: Judged): RuleExplanation {
  if (typeof judged === 'string') return { rule: id, effect, outcome: judged };
  return { rule: id, effect, outcome: 'failed', cause: judged.cause };
}

function digestOf(parts: readonly unknown[]): string {
  const text = JSON.stringify(parts, (_, value: unknown) => (typeof value === 'function' ? String(value) : value));
  return hash('sha256', text, 'hex').slice(0, 16);
}
