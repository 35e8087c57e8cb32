import type { Case } from '../../src/suite.ts';
import { macadam } from './tokens-and-keys.ts';

interface User {
  readonly subject: string;
  readonly roles: readonly string[];
}
interface Order {
  readonly kind: string;
  readonly ownerId: string;
}
/** 1,000 rules: ten verbs on each of 100 kinds, half of them for owners. */
const RULES = Array.from({ length: 1_000 }, (_, n) => ({
  id: `rule-${n}`,
  kind: `kind${n % 100}`,
  verb: `verb${Math.floor(n / 100)}`,
  owned: n % 2 === 0,
}));
const user: User = { subject: 'u1', roles: ['staff'] };
const order: Order = { kind: 'kind42', ownerId: 'u1' };

export const permissions: Case = {
  name: 'permission, 1,000 rules',
  what: 'May this user perform verb5 on an order of kind42 that they own? The rule compares the owner of the order with the user.',
  contenders: [
    macadam('macadam', ({ definePermissions }) => {
      const can = definePermissions<User, Order>({
        rules: RULES.map(({ id, kind, verb, owned }) => ({
          id,
          actions: [`${kind}:${verb}`],
          ...(owned ? { where: { ownerId: { principal: 'subject' } } } : { roles: ['staff'] }),
        })),
      });
      if (!can(user, 'kind42:verb5', order).allowed) throw new Error('It should be allowed.');
      return () => can(user, 'kind42:verb5', order).allowed;
    }),
    {
      name: 'CASL',
      from: '@casl/ability',
      setup: async () => {
        const { createMongoAbility, subject } = await import('@casl/ability');
        // An ability is created for one user; creating it is not measured.
        const ability = createMongoAbility(
          RULES.map(({ kind, verb, owned }) => ({
            action: verb,
            subject: kind,
            ...(owned && { conditions: { ownerId: user.subject } }),
          })),
        );
        const target = subject('kind42', { ...order });
        if (!ability.can('verb5', target)) throw new Error('It should be allowed.');
        return { run: () => ability.can('verb5', target) };
      },
    },
    {
      name: 'casbin',
      from: 'casbin',
      setup: async () => {
        const { newEnforcer, newModelFromString } = await import('casbin');
        const enforcer = await newEnforcer(newModelFromString(CASBIN));
        await enforcer.addPolicies(RULES.map(({ kind, verb, owned }) => [owned ? 'owner' : 'staff', kind, verb]));
        const request = { ...user, kind: order.kind, ownerId: order.ownerId };
        if (!enforcer.enforceSync(request, order, 'verb5')) throw new Error('It should be allowed.');
        return { run: () => enforcer.enforceSync(request, order, 'verb5') };
      },
    },
  ],
  claims: [
    { of: 'macadam', to: 'CASL', atMost: 1 },
    { of: 'macadam', to: 'casbin', atMost: 0.2 },
  ],
};

const CASBIN = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj.kind == p.obj && r.act == p.act && (p.sub == "staff" || r.obj.ownerId == r.sub.subject)
`;

export const manyRules: Case = {
  name: 'permission, 1,000 rules for one action',
  what: 'One rule for each of 1,000 owners. None of them matches, so all are evaluated.',
  contenders: [
    macadam('macadam', ({ definePermissions }) => {
      const can = definePermissions<User, Order>({
        rules: RULES.map(({ id }) => ({ id, actions: ['order:read'], where: { ownerId: id } })),
      });
      return () => can(user, 'order:read', order).allowed;
    }),
    {
      name: 'CASL',
      from: '@casl/ability',
      setup: async () => {
        const { createMongoAbility, subject } = await import('@casl/ability');
        const rules = RULES.map(({ id }) => ({ action: 'read', subject: 'order', conditions: { ownerId: id } }));
        const ability = createMongoAbility(rules);
        const target = subject('order', { ...order });
        return { run: () => ability.can('read', target) };
      },
    },
  ],
  claims: [{ of: 'macadam', to: 'CASL', atMost: 1 }],
};
