import { hash } from 'node:crypto';
import { assertFunction, assertKnownOptions, assertObject, assertText, OptionsError } from '@macadam/core';
import { ForbiddenError } from '../errors.ts';
import { type CompiledRule, compileRule, isText, type PermissionRequest, type PermissionRule } from './rule.ts';
import { RuleIndex } from './rule-index.ts';

/** Whether something is allowed, and why. Frozen. */
export interface Decision {
  readonly allowed: boolean;
  /** `allowed` or `denied` by a rule; `no_rule` applies, so it is denied; `rule_failed`: the condition of a denial threw. */
  readonly reason: 'allowed' | 'denied' | 'no_rule' | 'rule_failed';
  /** The rule that decided. */
  readonly rule: string | undefined;
  /** Which permissions it was decided by: part of any key under which a decision is kept. */
  readonly policyVersion: string;
}

/** What one rule had to say. */
export interface RuleExplanation {
  readonly rule: string;
  readonly effect: 'allow' | 'deny';
  readonly outcome: 'applies' | 'does not apply' | 'failed';
}

/** Options of {@link definePermissions}. */
export interface PermissionsOptions<P, R, A extends string = string> {
  /** What is allowed, and what is denied. What no rule speaks of is denied. */
  rules: readonly PermissionRule<P, R, A>[];
  /** Which roles each role includes: `{ admin: ['editor'], editor: ['reader'] }`. Default: none. */
  roles?: Readonly<Record<string, readonly string[]>>;
  /** The roles of a principal. Default: its `roles`, or the `roles` among its `claims`, if that is a list. */
  rolesOf?: (principal: P) => Iterable<string>;
  /** Names this state of the rules. Default: a digest of them. */
  version?: string;
}

/** Decides. Call it, or one of its ways of asking. */
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

/** A rule with the decisions it can lead to, made once: a check allocates none. */
interface DecidingRule<P, R> extends CompiledRule<P, R> {
  readonly applied: Decision;
  readonly failed: Decision;
}

/**
 * Permissions as data and functions. What no rule allows is denied, and a denial wins whatever the order.
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
  assertObject('options', options);
  assertKnownOptions('', options, ['rules', 'roles', 'rolesOf', 'version']);
  const { rules, roles = {}, rolesOf = claimedRoles } = options;
  if (!Array.isArray(rules)) throw new OptionsError('rules', rules, 'a list of rules');
  assertFunction('rolesOf', rolesOf);
  const compiled = rules.map((rule: PermissionRule<P, R>, at) => compileRule(`rules[${at}]`, rule));
  if (new Set(compiled.map(({ id }) => id)).size < compiled.length) {
    throw new OptionsError('rules', rules, 'a list in which each id is there once');
  }
  const included = closeRoles(roles);
  const version = options.version ?? digestOf(rules, roles);
  assertText('version', version);
  const decision = (allowed: boolean, reason: Decision['reason'], rule?: string): Decision =>
    Object.freeze({ allowed, reason, rule, policyVersion: version });
  const noRule = decision(false, 'no_rule');
  const index = new RuleIndex<P, R, DecidingRule<P, R>>(
    compiled.map((rule) => {
      const allowed = rule.effect === 'allow';
      const applied = decision(allowed, allowed ? 'allowed' : 'denied', rule.id);
      return { ...rule, applied, failed: allowed ? noRule : decision(false, 'rule_failed', rule.id) };
    }),
  );

  const rolesFor = (principal: P): ReadonlySet<string> => {
    const all = new Set<string>();
    for (const role of rolesOf(principal)) for (const one of included.get(role) ?? [role]) all.add(one);
    return all;
  };

  const decide = (principal: P, action: string, resource: R | undefined, held: ReadonlySet<string>): Decision => {
    const request: PermissionRequest<P, R> = { principal, action, resource };
    let allowedBy: Decision | undefined;
    for (const list of index.find(action, held)) {
      for (const rule of list) {
        // Denials stand first in each list, but other lists may have more of them.
        if (rule.effect === 'allow' && allowedBy !== undefined) break;
        const outcome = judge(rule, request);
        if (outcome === 'does not apply') continue;
        if (rule.effect === 'deny') return outcome === 'applies' ? rule.applied : rule.failed;
        if (outcome === 'applies') allowedBy = rule.applied;
      }
    }
    return allowedBy ?? noRule;
  };

  const can = (principal: P, action: A, resource?: R): Decision =>
    decide(principal, action, resource, rolesFor(principal));
  return Object.assign(can, {
    version,
    many(principal: P, action: A, resources: readonly R[]): Decision[] {
      const held = rolesFor(principal);
      return resources.map((resource) => decide(principal, action, resource, held));
    },
    assert(principal: P, action: A, resource?: R): void {
      const made = can(principal, action, resource);
      if (!made.allowed) throw new ForbiddenError(action, made);
    },
    explain(principal: P, action: A, resource?: R): readonly RuleExplanation[] {
      const found = new Set([...index.find(action, rolesFor(principal))].flat());
      const told = [...found].map((rule) => {
        return { rule: rule.id, effect: rule.effect, outcome: judge(rule, { principal, action, resource }) };
      });
      return [...told.filter(({ effect }) => effect === 'deny'), ...told.filter(({ effect }) => effect === 'allow')];
    },
  });
}

function judge<P, R>(rule: CompiledRule<P, R>, request: PermissionRequest<P, R>): RuleExplanation['outcome'] {
  try {
    for (const condition of rule.conditions) {
      const answer: unknown = condition(request);
      if (answer === true) continue;
      // A promise, or nothing at all, is no answer; in doubt an allow does not apply, and a deny does.
      return answer === false ? 'does not apply' : 'failed';
    }
    return 'applies';
  } catch {
    return 'failed';
  }
}

/** `roles` of the principal or of its claims. */
function claimedRoles(principal: unknown): Iterable<string> {
  const holder = principal as { roles?: unknown; claims?: { roles?: unknown } } | null | undefined;
  const roles = own(holder, 'roles') ?? own(own(holder, 'claims'), 'roles');
  return Array.isArray(roles) ? roles.filter(isText) : [];
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** Each role with all it includes, itself first. A role that includes itself by a detour is a mistake, not a loop. */
function closeRoles(roles: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, readonly string[]> {
  assertObject('roles', roles);
  const closed = new Map<string, readonly string[]>();
  for (const role of Object.keys(roles)) {
    const found = new Set([role]);
    for (const one of found) {
      const next = Object.hasOwn(roles, one) ? roles[one] : [];
      if (!Array.isArray(next) || !next.every(isText)) throw new OptionsError(`roles.${one}`, next, 'a list of roles');
      if (next.includes(role)) throw new OptionsError(`roles.${role}`, next, 'free of circles');
      for (const below of next as readonly string[]) found.add(below);
    }
    closed.set(role, [...found]);
  }
  return closed;
}

function digestOf(rules: unknown, roles: unknown): string {
  const text = JSON.stringify([rules, roles], (_, value: unknown) =>
    typeof value === 'function' ? String(value) : value,
  );
  return hash('sha256', text, 'hex').slice(0, 16);
}
