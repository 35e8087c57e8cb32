import { type CompiledRule, isAction } from './rule.ts';

/** The rules about one action: those for anybody, and those for each role. Denials come first in each list. */
export interface ActionRules<C> {
  readonly anybody: C[];
  readonly byRole: Map<string, C[]>;
}

/**
 * Finds the rules about an action without looking at the others. A check costs what the rules about its action and its
 * principal's roles cost, however many there are in all.
 */
export class RuleIndex<P, R, C extends CompiledRule<P, R>> {
  readonly #exact = new Map<string, ActionRules<C>>();
  readonly #byKind = new Map<string, ActionRules<C>>();
  readonly #everything: ActionRules<C> = { anybody: [], byRole: new Map() };
  readonly #nothing: ActionRules<C> = { anybody: [], byRole: new Map() };

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
    // Rules for all of a kind are written into each action of it, so that a check looks in one place.
    for (const rule of ordered) {
      const about = (kind: string): boolean => rule.actions.includes('*') || rule.actions.includes(`${kind}:*`);
      for (const action of exact) {
        if (rule.actions.includes(action) || about(kindOf(action))) add(rulesOf(this.#exact, action), rule);
      }
      for (const kind of kinds) if (about(kind)) add(rulesOf(this.#byKind, kind), rule);
      if (rule.actions.includes('*')) add(this.#everything, rule);
    }
  }

  /** The rules about an action that somebody may have made up: about what has not the form of one there are none. */
  find(action: string): ActionRules<C> {
    const exact = this.#exact.get(action);
    if (exact !== undefined) return exact;
    if (!isAction(action) || action.endsWith('*')) return this.#nothing;
    return this.#byKind.get(kindOf(action)) ?? this.#everything;
  }
}

function kindOf(action: string): string {
  return action.slice(0, action.indexOf(':'));
}

function rulesOf<C>(map: Map<string, ActionRules<C>>, name: string): ActionRules<C> {
  const rules = map.get(name) ?? { anybody: [], byRole: new Map<string, C[]>() };
  map.set(name, rules);
  return rules;
}

function add<C extends { readonly roles: readonly string[] }>({ anybody, byRole }: ActionRules<C>, rule: C): void {
  if (rule.roles.length === 0) anybody.push(rule);
  for (const role of rule.roles) {
    const list = byRole.get(role) ?? [];
    byRole.set(role, list);
    list.push(rule);
  }
}
