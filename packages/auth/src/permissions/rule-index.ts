import { type CompiledRule, isAction } from './rule.ts';

/** The rules about one action: those without roles, and those for each role. Deny rules come first in each list. */
export interface ActionRules<C> {
  readonly forEveryone: C[];
  readonly byRole: Map<string, C[]>;
}

/**
 * Finds the rules about an action, so that a decision evaluates only the rules for its action and the roles of its
 * principal, however many rules there are.
 */
export class RuleIndex<P, R, C extends CompiledRule<P, R>> {
  readonly #exact = new Map<string, ActionRules<C>>();
  readonly #byKind = new Map<string, ActionRules<C>>();
  readonly #forAnyAction: ActionRules<C> = { forEveryone: [], byRole: new Map() };
  readonly #noRules: ActionRules<C> = { forEveryone: [], byRole: new Map() };

  constructor(rules: readonly C[]) {
    const denials = rules.filter(({ effect }) => effect === 'deny');
    const ordered = [...denials, ...rules.filter(({ effect }) => effect === 'allow')];
    const exact = new Set(rules.flatMap(({ actions }) => actions.filter((action) => !action.endsWith('*'))));
    const kinds = new Set(
      rules
        .flatMap(({ actions }) => actions)
        .filter((one) => one !== '*')
        .map(kindOf),
    );
    // A wildcard rule is added to the list of every action that it covers, so that a lookup reads one list.
    for (const rule of ordered) {
      const coversKind = (kind: string): boolean => rule.actions.includes('*') || rule.actions.includes(`${kind}:*`);
      for (const action of exact) {
        if (rule.actions.includes(action) || coversKind(kindOf(action)))
          addRule(getOrCreate(this.#exact, action), rule);
      }
      for (const kind of kinds) if (coversKind(kind)) addRule(getOrCreate(this.#byKind, kind), rule);
      if (rule.actions.includes('*')) addRule(this.#forAnyAction, rule);
    }
  }

  /** The rules about an action, which may be untrusted text: there are none for a text that is not an action. */
  rulesFor(action: string): ActionRules<C> {
    const exact = this.#exact.get(action);
    if (exact !== undefined) return exact;
    if (!isAction(action) || action.endsWith('*')) return this.#noRules;
    return this.#byKind.get(kindOf(action)) ?? this.#forAnyAction;
  }
}

function kindOf(action: string): string {
  return action.slice(0, action.indexOf(':'));
}

function getOrCreate<C>(map: Map<string, ActionRules<C>>, name: string): ActionRules<C> {
  const rules = map.get(name) ?? { forEveryone: [], byRole: new Map<string, C[]>() };
  map.set(name, rules);
  return rules;
}

function addRule<C extends { readonly roles: readonly string[] }>(
  { forEveryone, byRole }: ActionRules<C>,
  rule: C,
): void {
  if (rule.roles.length === 0) forEveryone.push(rule);
  for (const role of rule.roles) {
    const list = byRole.get(role) ?? [];
    byRole.set(role, list);
    list.push(rule);
  }
}
