import { assertFunction, assertKnownOptions, assertObject, assertOneOf, assertText, OptionsError } from '@macadam/core';

/** What a condition (`when`) is called with. */
export interface PermissionRequest<P, R> {
  /** Who asks. */
  readonly principal: P;
  /** The action. */
  readonly action: string;
  /** The resource; undefined when none was named. */
  readonly resource: R | undefined;
}

/** How a principal can stand to a resource, by name. Synchronous; `true` is yes. One that throws fails the rule. */
export type Relations<P, R> = Readonly<Record<string, (principal: P, resource: R) => boolean>>;

/** One rule. All that it says must hold: one of the roles, one of the relations, every field of `where`, and `when`. */
export interface PermissionRule<P, R, A extends string = string> {
  /** Identifies the rule in decisions. */
  id: string;
  /** A `deny` rule that applies wins over every `allow` rule. Default: `allow`. */
  effect?: 'allow' | 'deny';
  /** The actions: `order:read`, all of a kind (`order:*`), or all (`*`). */
  actions: readonly (A | `${string}:*` | '*')[];
  /** Applies to principals with one of these roles, or a role that includes it. Default: everybody. */
  roles?: readonly string[];
  /**
   * Applies to principals with one of these relations to the resource; never without a resource. Default: everybody.
   */
  relations?: readonly string[];
  /**
   * Fields of the resource and their required values: a string, number, boolean or null, or `{ principal: 'subject' }`
   * for a field of the principal. Own fields only; a missing or null field equals no field of the principal. Default:
   * none.
   */
  where?: Readonly<Record<string, string | number | boolean | null | { readonly principal: string }>>;
  /**
   * A synchronous condition; only `true` is yes. When it throws, an allow rule does not apply and a deny rule does.
   * Default: none.
   */
  when?: (request: PermissionRequest<P, R>) => boolean;
}

/** A validated rule: a copy that the caller cannot change afterwards, with all conditions as functions. */
export interface CompiledRule<P, R> {
  readonly id: string;
  readonly effect: 'allow' | 'deny';
  readonly actions: readonly string[];
  /** Empty when the rule applies to every principal. */
  readonly roles: readonly string[];
  readonly conditions: readonly ((request: PermissionRequest<P, R>) => boolean)[];
}

const ACTION = /^(\*|[A-Za-z0-9_.-]+:(\*|[A-Za-z0-9_.:-]+))$/;

export function isAction(text: unknown): text is string {
  return typeof text === 'string' && ACTION.test(text);
}

export function compileRule<P, R>(
  path: string,
  rule: PermissionRule<P, R>,
  definedRelations: Relations<P, R>,
): CompiledRule<P, R> {
  assertObject(path, rule);
  assertKnownOptions(path, rule, ['id', 'effect', 'actions', 'roles', 'relations', 'where', 'when']);
  const { id, effect = 'allow', actions, roles, relations, where, when } = rule;
  assertText(`${path}.id`, id);
  assertOneOf(`${path}.effect`, effect, ['allow', 'deny']);
  if (!Array.isArray(actions) || actions.length === 0 || !actions.every(isAction)) {
    throw new OptionsError(`${path}.actions`, actions, 'a list of kind:verb, kind:* or *');
  }
  // An empty list is ambiguous: "everybody" or "nobody".
  if (roles !== undefined && !(Array.isArray(roles) && roles.length > 0 && roles.every(isText))) {
    throw new OptionsError(`${path}.roles`, roles, 'a list of roles that is not empty, or left out');
  }
  if (when !== undefined) assertFunction(`${path}.when`, when);
  const conditions = [
    ...fieldConditions<P, R>(`${path}.where`, where),
    ...relationConditions(`${path}.relations`, relations, definedRelations),
    ...(when === undefined ? [] : [when]),
  ];
  return { id, effect, actions: [...new Set(actions)], roles: [...new Set(roles ?? [])], conditions };
}

function fieldConditions<P, R>(path: string, where: PermissionRule<P, R>['where']): CompiledRule<P, R>['conditions'] {
  if (where === undefined) return [];
  assertObject(path, where);
  return Object.entries(where).map(([field, expected]) => {
    if (expected === null || ['string', 'boolean'].includes(typeof expected) || Number.isFinite(expected)) {
      return ({ resource }) => fieldOf(resource, field) === expected;
    }
    assertObject(`${path}.${field}`, expected);
    assertKnownOptions(`${path}.${field}`, expected, ['principal']);
    const { principal: name } = expected as { principal: string };
    assertText(`${path}.${field}.principal`, name);
    return ({ principal, resource }) => {
      const value = fieldOf(resource, field);
      // A missing or null field equals nothing: otherwise a resource without owner would belong to a principal without id.
      return value !== undefined && value !== null && value === fieldOf(principal, name);
    };
  });
}

function relationConditions<P, R>(
  path: string,
  names: readonly string[] | undefined,
  definedRelations: Relations<P, R>,
): CompiledRule<P, R>['conditions'] {
  if (names === undefined) return [];
  if (!Array.isArray(names) || names.length === 0) throw new OptionsError(path, names, 'a list that is not empty');
  const relations = names.map((name: string) => {
    if (!Object.hasOwn(definedRelations, name)) throw new OptionsError(path, name, 'defined in the option relations');
    return definedRelations[name]!;
  });
  return [
    ({ principal, resource }) => {
      if (resource === undefined) return false;
      for (const relation of relations) {
        const result = relation(principal, resource);
        // Anything but `false` ends the search: `true` applies, and an invalid result has to fail the rule.
        if (result !== false) return result;
      }
      return false;
    },
  ];
}

/** The value of an own field. Inherited ones are ignored, such as `constructor` or those of a polluted prototype. */
function fieldOf(value: unknown, field: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, field)) return undefined;
  return (value as Record<string, unknown>)[field];
}

export function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
