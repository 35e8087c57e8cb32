import { assertObject, OptionsError } from '@macadam/core';
import { isText } from './rule.ts';

const NO_ROLES: readonly string[] = [];

/**
 * The own property `roles` of the principal or of its claims; no roles when it is absent or null. The caller checks that
 * it is a list. Items that are not strings match no rule.
 */
export function claimedRoles(principal: unknown): Iterable<string> {
  const roles = own(principal, 'roles') ?? own(own(principal, 'claims'), 'roles') ?? NO_ROLES;
  return roles as Iterable<string>;
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/**
 * Maps each role to itself and all roles it includes, directly or indirectly.
 * @throws OptionsError for a cycle, which is always a mistake
 */
export function expandRoles(
  roles: Readonly<Record<string, readonly string[]>>,
): ReadonlyMap<string, readonly string[]> {
  assertObject('roles', roles);
  const expanded = new Map<string, readonly string[]>();
  for (const role of Object.keys(roles)) {
    const found = new Set([role]);
    for (const name of found) {
      const next = Object.hasOwn(roles, name) ? roles[name] : [];
      if (!Array.isArray(next) || !next.every(isText)) throw new OptionsError(`roles.${name}`, next, 'a list of roles');
      if (next.includes(role)) throw new OptionsError(`roles.${role}`, next, 'free of cycles');
      for (const includedRole of next as readonly string[]) found.add(includedRole);
    }
    expanded.set(role, [...found]);
  }
  return expanded;
}
