import { OptionsError } from '@macadam/core';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { definePermissions, ForbiddenError, type PermissionRule } from '../src/index.ts';

interface User {
  subject?: string;
  roles?: string[];
}
interface Order {
  ownerId?: string;
  locked?: boolean;
}
const rules: PermissionRule<User, Order>[] = [
  { id: 'own', actions: ['order:*'], where: { ownerId: { principal: 'subject' } } },
  { id: 'support', actions: ['order:read'], roles: ['support'] },
  { id: 'locked', effect: 'deny', actions: ['order:cancel'], where: { locked: true } },
  { id: 'root', actions: ['*'], roles: ['root'] },
];
const can = definePermissions<User, Order>({ rules, roles: { admin: ['support'], owner: ['admin'] }, version: 'v1' });

describe('permissions', () => {
  it.each<[string, User, string, Order | undefined, string, string | undefined]>([
    ['the owner', { subject: 'a' }, 'order:cancel', { ownerId: 'a' }, 'allowed', 'own'],
    ['another', { subject: 'b' }, 'order:cancel', { ownerId: 'a' }, 'noRule', undefined],
    [
      'the owner of what is locked',
      { subject: 'a' },
      'order:cancel',
      { ownerId: 'a', locked: true },
      'denied',
      'locked',
    ],
    ['root, too', { roles: ['root'] }, 'order:cancel', { locked: true }, 'denied', 'locked'],
    ['a role', { roles: ['support'] }, 'order:read', { ownerId: 'a' }, 'allowed', 'support'],
    ['a role two steps up', { roles: ['owner'] }, 'order:read', {}, 'allowed', 'support'],
    ['a role for another action', { roles: ['support'] }, 'order:write', {}, 'noRule', undefined],
    ['an action of the kind that no rule names', { subject: 'a' }, 'order:print', { ownerId: 'a' }, 'allowed', 'own'],
    ['an action of another kind', { subject: 'a' }, 'invoice:read', { ownerId: 'a' }, 'noRule', undefined],
    ['everything', { roles: ['root'] }, 'invoice:read', undefined, 'allowed', 'root'],
    ['neither principal nor resource', {}, 'order:read', undefined, 'noRule', undefined],
    ['missing equals missing', {}, 'order:read', {}, 'noRule', undefined],
    ['a wildcard in the requested action', { subject: 'a' }, '*', { ownerId: 'a' }, 'noRule', undefined],
    [
      'an action that only starts with the name of a kind',
      { subject: 'a' },
      'orders',
      { ownerId: 'a' },
      'noRule',
      undefined,
    ],
    ['a kind alone', { subject: 'a' }, 'order', { ownerId: 'a' }, 'noRule', undefined],
    ['a kind without a verb', { subject: 'a' }, 'order:', { ownerId: 'a' }, 'noRule', undefined],
    ['a wildcard verb in the requested action', { subject: 'a' }, 'order:*', { ownerId: 'a' }, 'noRule', undefined],
    [
      'an invalid action, for a principal with all permissions',
      { roles: ['root'] },
      'order:a b',
      {},
      'noRule',
      undefined,
    ],
    ['a value that is not a string', { roles: ['root'] }, undefined as never, {}, 'noRule', undefined],
    ['null equals null', { subject: null as never }, 'order:read', { ownerId: null as never }, 'noRule', undefined],
    ['an inherited name as action', { subject: 'a' }, '__proto__', { ownerId: 'a' }, 'noRule', undefined],
    ['an inherited name as role', { roles: ['constructor', '__proto__'] }, 'order:read', {}, 'noRule', undefined],
  ])('%s', (_, user, action, order, reason, rule) => {
    const allowed = reason === 'allowed';
    expect(can(user, action, order)).toEqual({ allowed, reason, rule, policyVersion: 'v1' });
  });

  const denying = [
    { id: 'all', actions: ['order:read' as const] },
    { id: 'out', effect: 'deny' as const, actions: ['order:read' as const], roles: ['suspended'] },
  ];

  it('take roles from the claims of a token; without the claim there are none', () => {
    const of = (principal: unknown) => can(principal as User, 'order:read', {}).allowed;
    expect(of({ claims: { roles: ['support'] } })).toBe(true);
    expect(of({ roles: null, claims: { roles: null } })).toBe(false);
    expect(of({ roles: [['support']] })).toBe(false);
    expect(of(Object.create({ roles: ['support'] }))).toBe(false);
    expect(of(null)).toBe(false);
    expect(
      definePermissions<User>({ rules: denying })({ roles: new Set(['suspended']) as never }, 'order:read'),
    ).toMatchObject({ reason: 'denied' });
  });

  it.each([
    ['a string', 'suspended'],
    ['a number', 7],
    ['an object', { 0: 'suspended', length: 1 }],
    ['a boolean', true],
  ])('take roles from the claims of a token as a list only, not from %s: a denial would be missed', (_, roles) => {
    const asked = definePermissions<object>({ rules: denying });
    for (const principal of [{ roles }, { claims: { roles } }]) {
      expect(() => asked(principal, 'order:read')).toThrow(OptionsError);
      expect(() => asked.many(principal, 'order:read', [1])).toThrow(OptionsError);
      expect(() => asked.explain(principal, 'order:read')).toThrow(OptionsError);
    }
  });

  it('take roles of rolesOf as a list only: the letters of a string would miss a denial', () => {
    const rules = denying;
    for (const held of ['suspended', undefined, null, {}, Promise.resolve(['suspended'])]) {
      const asked = definePermissions<User>({ rules, rolesOf: () => held as never });
      expect(() => asked({}, 'order:read')).toThrow(OptionsError);
      expect(() => asked.many({}, 'order:read', [1])).toThrow('Option rolesOf() is');
    }
    expect(definePermissions<User>({ rules, rolesOf: () => new Set(['suspended']) })({}, 'order:read').allowed).toBe(
      false,
    );
  });

  it('many() gives the same decisions as single calls', () => {
    const orders = [{ ownerId: 'a' }, { ownerId: 'b' }, { ownerId: 'a', locked: true }];
    const user = { subject: 'a' };
    expect(can.many(user, 'order:cancel', orders)).toEqual(orders.map((order) => can(user, 'order:cancel', order)));
    expect(can.many(user, 'order:cancel', orders).map(({ allowed }) => allowed)).toEqual([true, false, false]);
  });

  it('explain() returns deny rules first', () => {
    expect(can.explain({ subject: 'a', roles: ['support'] }, 'order:cancel', { ownerId: 'a', locked: true })).toEqual([
      { rule: 'locked', effect: 'deny', outcome: 'applies' },
      { rule: 'own', effect: 'allow', outcome: 'applies' },
    ]);
  });

  it('assert() throws without naming the principal or the resource', () => {
    expect(() => can.assert({ subject: 'a' }, 'order:cancel', { ownerId: 'a' })).not.toThrow();
    const order = { ownerId: 'secret-owner', locked: true };
    expect(() => can.assert({ subject: 'secret-owner' }, 'order:cancel', order)).toThrow(ForbiddenError);
    try {
      can.assert({ subject: 'secret-owner' }, 'order:cancel', order);
    } catch (error) {
      expect(error).toMatchObject({
        code: 'MAC_FORBIDDEN',
        action: 'order:cancel',
        rule: 'locked',
        policyVersion: 'v1',
      });
      expect(JSON.stringify(error)).not.toContain('secret');
    }
  });

  it('have a version that changes with the rules, unless one is given', () => {
    const version = (one: object) => definePermissions({ rules: [{ id: 'x', actions: ['a:b'], ...one }] }).version;
    const versions = [{}, { roles: ['r'] }, { when: () => true }, { when: () => false }, { where: { a: 1 } }].map(
      version,
    );
    expect(new Set(versions).size).toBe(5);
    expect(version({})).toBe(versions[0]);
    const rules = [{ id: 'x', actions: ['a:b' as const] }];
    expect(definePermissions({ rules, rolesOf: () => ['root'] }).version).not.toBe(
      definePermissions({ rules }).version,
    );
  });
});

describe('a condition that does not return a boolean', () => {
  const failures: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    ['is asynchronous', () => Promise.resolve(true)],
    ['returns nothing', () => undefined],
    ['is truthy', () => 1],
  ];
  it.each(failures)('that %s: an allow does not apply, a deny does', (_, when) => {
    const rule = { id: 'x', actions: ['a:b'] as const, when: when as () => boolean };
    expect(definePermissions({ rules: [rule] })({}, 'a:b').reason).toBe('noRule');
    const guarded = definePermissions({
      rules: [
        { id: 'all', actions: ['*'] },
        { ...rule, effect: 'deny' },
      ],
    });
    expect(guarded({}, 'a:b')).toMatchObject({ allowed: false, reason: 'ruleFailed', rule: 'x' });
  });
});

it('a failing deny condition reports its cause, and its rejected promise does not end the process', () => {
  const broken = new Error('the table is gone');
  const decide = (when: () => never) =>
    definePermissions({ rules: [{ id: 'x', effect: 'deny', actions: ['a:b'], when }] });
  const throwing = decide(() => {
    throw broken;
  });
  expect(throwing({}, 'a:b').cause).toBe(broken);
  expect(throwing.explain({}, 'a:b')).toEqual([{ rule: 'x', effect: 'deny', outcome: 'failed', cause: broken }]);
  const asynchronous = decide(() => Promise.reject(broken) as never);
  expect(asynchronous({}, 'a:b')).toMatchObject({
    allowed: false,
    reason: 'ruleFailed',
    cause: { message: 'A condition of "x" returned a promise instead of true or false.' },
  });
  expect(() => asynchronous.assert({}, 'a:b')).toThrow('a:b is not allowed: x could not be evaluated.');
  const rolesOf = () => Promise.reject(broken) as never;
  const rules = [{ id: 'x', actions: ['a:b'] as const, roles: ['r'] }];
  expect(() => definePermissions({ rules, rolesOf })({}, 'a:b')).toThrow(OptionsError);
});

describe('a polluted prototype', () => {
  const polluted = Object.prototype as Record<string, unknown>;
  afterEach(() => {
    for (const name of ['roles', 'ownerId', 'subject', 'root', 'locked', 'when']) delete polluted[name];
  });

  it('has no effect, as in CVE-2026-1774', () => {
    Object.assign(polluted, { roles: ['root'], ownerId: 'a', subject: 'a', locked: false });
    expect(can({}, 'order:read', {}).allowed).toBe(false);
    expect(can({ subject: 'a' }, 'order:cancel', {}).allowed).toBe(false);
  });

  it('cannot be reached through the rules', () => {
    const rule = JSON.parse('{"id":"x","actions":["a:b"],"__proto__":{"effect":"allow"}}') as never;
    expect(() => definePermissions({ rules: [rule] })).toThrow(OptionsError);
    const where = JSON.parse('{"__proto__":{"polluted":true}}') as never;
    expect(() => definePermissions({ rules: [{ id: 'x', actions: ['a:b'], where }] })).toThrow(OptionsError);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('the rule index', () => {
  it('decides like an evaluation of every rule', () => {
    const actions = ['a:x', 'a:y', 'b:x', 'a:*', 'b:*', '*'] as const;
    const rule = fc.record({
      effect: fc.constantFrom('allow' as const, 'deny' as const),
      actions: fc.uniqueArray(fc.constantFrom(...actions), { minLength: 1, maxLength: 3 }),
      roles: fc.option(fc.uniqueArray(fc.constantFrom('r', 's', 't'), { minLength: 1 }), { nil: undefined }),
      holds: fc.boolean(),
    });
    const question = fc.tuple(fc.constantFrom('a:x', 'a:y', 'a:z', 'b:x', 'c:x'), fc.subarray(['r', 's', 't']));
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 8 }), question, (made, [action, roles]) => {
        const applies = made.filter(
          (one) =>
            one.holds &&
            one.actions.some((name) => name === '*' || name === action || name === `${action[0]}:*`) &&
            (one.roles === undefined || one.roles.some((role) => roles.includes(role))),
        );
        const expected =
          applies.some(({ effect }) => effect === 'allow') && !applies.some(({ effect }) => effect === 'deny');
        const permissions = definePermissions<User>({
          rules: made.map(({ holds, roles: needed, ...one }, at) => ({
            ...one,
            ...(needed !== undefined && { roles: needed }),
            id: `${at}`,
            when: () => holds,
          })),
        });
        expect(permissions({ roles }, action).allowed).toBe(expected);
      }),
      { numRuns: 500, seed: 11 },
    );
  });

  it('evaluates no rule for other actions or other roles', () => {
    let asked = 0;
    const many = Array.from({ length: 1_000 }, (_, n) => ({
      id: `${n}`,
      actions: [`kind${n % 100}:read`] as const,
      roles: [`role${n % 10}`],
      when: () => ++asked > 0,
    }));
    expect(definePermissions<User>({ rules: many })({ roles: ['role3'] }, 'kind13:read').allowed).toBe(true);
    expect(asked).toBe(1);
  });
});

describe('invalid permissions', () => {
  it.each<[string, object, string]>([
    ['no rules', {}, 'rules'],
    ['an id twice', { rules: [rules[0], rules[0]] }, 'rules'],
    ['an action without a kind', { rules: [{ id: 'x', actions: ['read'] }] }, 'rules[0].actions'],
    ['no roles at all', { rules: [{ id: 'x', actions: ['*'], roles: [] }] }, 'rules[0].roles'],
    ['an unknown field', { rules: [{ id: 'x', actions: ['*'], condition: {} }] }, 'rules[0].condition'],
    ['an unknown effect', { rules: [{ id: 'x', actions: ['*'], effect: 'ALLOW' }] }, 'rules[0].effect'],
    [
      'an operator where a value should be',
      { rules: [{ id: 'x', actions: ['*'], where: { a: { $ne: 1 } } }] },
      'rules[0].where.a.$ne',
    ],
    ['roles in a circle', { rules: [], roles: { a: ['b'], b: ['a'] } }, 'roles.a'],
  ])('%s', (_, options, path) => {
    expect(() => definePermissions(options as never)).toThrow(
      expect.objectContaining({ path: `definePermissions.${path}` }) as Error,
    );
  });
});
