import { assertObject, OptionsError } from '@macadam/core';
import { isText } from './rule.ts';

/** `roles` of the principal or of its claims. What is in the list and no text is no role that a rule names. */
export function claimedRoles(principal: unknown): Iterable<string> {
  const holder = principal as { roles?: unknown; claims?: { roles?: unknown } } | null | undefined;
  const roles = own(holder, 'roles') ?? own(own(holder, 'claims'), 'roles');
  return Array.isArray(roles) ? (roles as string[]) : [];
}

function own(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}

/** Each role with all it includes, itself first. A role that includes itself by a detour is a mistake, not a loop. */
export function closeRoles(roles: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, readonly string[]> {
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
