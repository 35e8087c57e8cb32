import { assertFunction, assertKnownOptions, assertObject, assertOneOf, assertText, OptionsError } from '@macadam/core';

/** What a condition is asked about. */
export interface PermissionRequest<P, R> {
  readonly principal: P;
  readonly action: string;
  /** What the action is done to; undefined where nothing was named. */
  readonly resource: R | undefined;
}

/** One rule. All that it says must hold: one of the roles, every field of `where`, and `when`. */
export interface PermissionRule<P, R, A extends string = string> {
  /** Names the rule in decisions. */
  id: string;
  /** A `deny` that applies wins over every `allow`. Default: `allow`. */
  effect?: 'allow' | 'deny';
  /** What it is about: `order:read`, all of a kind, `order:*`, or everything, `*`. */
  actions: readonly (A | `${string}:*` | '*')[];
  /** Whoever has one of these roles, or one that includes it. Default: anybody. */
  roles?: readonly string[];
  /**
   * Fields of the resource and what they must be: a text, a number, a boolean or null, or `{ principal: 'subject' }` for a
   * field of the principal. Own fields only; what is missing equals nothing, not even what is missing too.
   */
  where?: Readonly<Record<string, string | number | boolean | null | { readonly principal: string }>>;
  /** A condition in code. Synchronous; `true` is yes. An allow whose condition throws does not apply, a deny does. */
  when?: (request: PermissionRequest<P, R>) => boolean;
}

/** A rule that was read: conditions as functions, and nothing that the caller could change afterwards. */
export interface CompiledRule<P, R> {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly string[];
  /** Empty for anybody. */
  readonly roles: readonly string[];
  readonly conditions: readonly ((request: PermissionRequest<P, R>) => boolean)[];
}

const ACTION = /^(\*|[A-Za-z0-9_.-]+:(\*|[A-Za-z0-9_.:-]+))$/;

export function isAction(text: unknown): text is string {
  return typeof text === 'string' && ACTION.test(text);
}

export function compileRule<P, R>(path: string, rule: PermissionRule<P, R>): CompiledRule<P, R> {
  assertObject(path, rule);
  assertKnownOptions(path, rule, ['id', 'effect', 'actions', 'roles', 'where', 'when']);
  const { id, effect = 'allow', actions, roles, where, when } = rule;
  assertText(`${path}.id`, id);
  assertOneOf(`${path}.effect`, effect, ['allow', 'deny']);
  if (!Array.isArray(actions) || actions.length === 0 || !actions.every(isAction)) {
    throw new OptionsError(`${path}.actions`, actions, 'a list of kind:verb, kind:* or *');
  }
  // An empty list would mean "anybody" to one reader and "nobody" to another.
  if (roles !== undefined && !(Array.isArray(roles) && roles.length > 0 && roles.every(isText))) {
    throw new OptionsError(`${path}.roles`, roles, 'a list of roles that is not empty, or left out');
  }
  if (when !== undefined) assertFunction(`${path}.when`, when);
  const conditions = [...fieldConditions<P, R>(`${path}.where`, where), ...(when === undefined ? [] : [when])];
  return { id, effect, actions: [...new Set(actions)], roles: [...new Set(roles ?? [])], conditions };
}

function fieldConditions<P, R>(path: string, where: PermissionRule<P, R>['where']): CompiledRule<P, R>['conditions'] {
  if (where === undefined) return [];
  assertObject(path, where);
  return Object.entries(where).map(([field, wanted]) => {
    if (wanted === null || ['string', 'boolean'].includes(typeof wanted) || Number.isFinite(wanted)) {
      return ({ resource }) => fieldOf(resource, field) === wanted;
    }
    assertObject(`${path}.${field}`, wanted);
    assertKnownOptions(`${path}.${field}`, wanted, ['principal']);
    const { principal: name } = wanted as { principal: string };
    assertText(`${path}.${field}.principal`, name);
    return ({ principal, resource }) => {
      const value = fieldOf(resource, field);
      return value !== undefined && value === fieldOf(principal, name);
    };
  });
}

/** An own field: neither `constructor` nor a polluted prototype has a say. */
function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  return (value as Record<string, unknown>)[field];
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
