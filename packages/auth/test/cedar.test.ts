// With Cedar's own engine, as it is published.
import { createRequire } from 'node:module';
import { OptionsError } from '@macadam/core';
import { describe, expect, it } from 'vitest';
import { type CedarEngine, type CedarPermissionsOptions, cedarPermissions, ForbiddenError } from '../src/index.ts';

const cedar = createRequire(import.meta.url)('@cedar-policy/cedar-wasm/nodejs') as CedarEngine;

interface User {
  id: string;
  groups?: string[];
}
interface Order {
  id: string;
  owner: string;
  locked?: boolean;
  total?: number;
}
const policies = {
  own: 'permit(principal, action, resource) when { resource.owner == principal };',
  support: 'permit(principal in Group::"support", action == Action::"order:read", resource);',
  locked: 'forbid(principal, action == Action::"order:cancel", resource) when { resource.locked };',
  office: 'permit(principal, action == Action::"order:export", resource) when { context.office };',
};
const user = (id: string) => ({ type: 'User', id });
const order = ({ id }: Order) => ({ type: 'Order', id });
const options: CedarPermissionsOptions<User, Order> = {
  cedar,
  policies,
  principalOf: ({ id }) => user(id),
  resourceOf: (one) => (one === undefined ? { type: 'Order', id: '' } : order(one)),
  entitiesOf: ({ id, groups = [] }, one) => [
    { uid: user(id), attrs: {}, parents: groups.map((group) => ({ type: 'Group', id: group })) },
    ...(one === undefined
      ? []
      : [
          {
            uid: order(one),
            attrs: {
              owner: { __entity: user(one.owner) },
              ...(one.locked !== undefined && { locked: one.locked }),
            },
            parents: [],
          },
        ]),
  ],
  contextOf: () => ({ office: true }),
};
const can = cedarPermissions(options);
const open: Order = { id: '1', owner: 'a', locked: false };

describe('Cedar permissions', () => {
  it.each<[string, User, string, Order | undefined, boolean, string, string | undefined]>([
    ['the owner', { id: 'a' }, 'order:cancel', open, true, 'allowed', 'own'],
    ['another', { id: 'b' }, 'order:cancel', open, false, 'noRule', undefined],
    ['a group', { id: 'b', groups: ['support'] }, 'order:read', open, true, 'allowed', 'support'],
    ['a forbid over a permit', { id: 'a' }, 'order:cancel', { ...open, locked: true }, false, 'denied', 'locked'],
    ['the context', { id: 'b' }, 'order:export', open, true, 'allowed', 'office'],
    ['a permit that fails', { id: 'b' }, 'order:read', undefined, false, 'noRule', undefined],
    // Cedar ignores a forbid that fails (here: locked is missing) and would allow.
    ['a forbid that fails', { id: 'a' }, 'order:cancel', { id: '1', owner: 'a' }, false, 'ruleFailed', 'locked'],
  ])('%s', (_, principal, action, resource, allowed, reason, rule) => {
    expect(can(principal, action, resource)).toMatchObject({ allowed, reason, rule, policyVersion: can.version });
  });

  it('have many, assert and explain, like definePermissions', () => {
    const orders = [open, { ...open, owner: 'b' }];
    expect(can.many({ id: 'a' }, 'order:cancel', orders).map(({ allowed }) => allowed)).toEqual([true, false]);
    expect(() => can.assert({ id: 'b' }, 'order:cancel', open)).toThrow(ForbiddenError);
    expect(can.explain({ id: 'a', groups: ['support'] }, 'order:read', open)).toEqual(
      expect.arrayContaining([
        { rule: 'own', effect: 'allow', outcome: 'applies' },
        { rule: 'support', effect: 'allow', outcome: 'applies' },
      ]),
    );
    expect(can.explain({ id: 'a' }, 'order:cancel', { id: '1', owner: 'a' })).toContainEqual(
      expect.objectContaining({ rule: 'locked', effect: 'deny', outcome: 'failed' }),
    );
  });

  const failing = () => {
    throw new Error('out of memory');
  };
  const late = () => Promise.reject(new Error('not synchronous'));
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  it.each<[string, Partial<CedarPermissionsOptions<User, Order>>, 'ruleFailed' | 'unavailable']>([
    ['an entity without attributes', { entitiesOf: () => [{ uid: user('a') } as never] }, 'ruleFailed'],
    ['no entities', { entitiesOf: () => undefined as never }, 'unavailable'],
    ['an invalid entity type', { principalOf: () => ({ type: 'not a type', id: 'a' }) }, 'ruleFailed'],
    ['a lone surrogate', { principalOf: () => user('\ud800') }, 'unavailable'],
    ['null', { contextOf: () => ({ note: null }) }, 'ruleFailed'],
    ['a fraction', { contextOf: () => ({ note: 1.5 }) }, 'ruleFailed'],
    ['a number that is too large', { contextOf: () => ({ note: 1e21 }) }, 'ruleFailed'],
    ['a text as context', { contextOf: () => 'text' as never }, 'ruleFailed'],
    ['a BigInt', { contextOf: () => ({ note: 1n }) }, 'unavailable'],
    ['a cyclic value', { contextOf: () => cyclic }, 'unavailable'],
  ])('deny even with onFailure open when the request has %s, with the cause', (_, broken, reason) => {
    for (const onFailure of ['closed', 'open'] as const) {
      const asked = cedarPermissions({ ...options, ...broken, onFailure });
      const decision = asked({ id: 'a' }, 'order:read', open);
      expect(decision).toMatchObject({ allowed: false, reason, cause: expect.any(Error) as Error });
      expect(asked.explain({ id: 'a' }, 'order:read', open)).toEqual([]);
      expect(() => asked.assert({ id: 'a' }, 'order:read', open)).toThrow(
        expect.objectContaining({ retryable: reason === 'unavailable' }) as Error,
      );
    }
    expect(can({ id: 'a' }, 'order:read', open).allowed).toBe(true);
  });

  it('deny even with onFailure open when the engine throws: it does so for requests that it cannot read', () => {
    const broken = { ...cedar, statefulIsAuthorized: failing };
    const decision = cedarPermissions({ ...options, cedar: broken, onFailure: 'open' })({ id: 'a' }, 'x', open);
    expect(decision).toMatchObject({ allowed: false, reason: 'unavailable', cause: { message: 'out of memory' } });
  });

  it('deny even with onFailure open when principalOf returns no entity id', () => {
    const opened = cedarPermissions({ ...options, onFailure: 'open' });
    expect(opened(null as never, 'order:read', open)).toMatchObject({ allowed: false, reason: 'unavailable' });
  });

  it.each(['principalOf', 'resourceOf', 'actionOf', 'contextOf', 'entitiesOf'] as const)(
    'are closed when %s fails or gives a promise, even where they are open: there was no question',
    (name) => {
      for (const broken of [failing, late]) {
        const opened = cedarPermissions({ ...options, [name]: broken, onFailure: 'open' });
        expect(opened({ id: 'a' }, 'order:read', open)).toMatchObject({ allowed: false, reason: 'unavailable' });
      }
    },
  );

  it.each<[string, () => unknown]>([
    ['undefined', () => undefined],
    ['no id', () => ({ type: 'User' })],
    ['a promise', late],
  ])('deny even with onFailure open for %s', (_, name) => {
    const opened = cedarPermissions({ ...options, principalOf: () => name() as never, onFailure: 'open' });
    const decision = opened({ id: 'a' }, 'order:read', open);
    expect(decision).toMatchObject({ allowed: false, reason: 'unavailable', cause: { path: 'principalOf()' } });
  });

  const permit = { decision: 'allow', diagnostics: { reason: ['own'], errors: [] } };
  const responding = (more: object) => () => ({ type: 'success', response: { ...permit, ...more } });
  it.each<[string, () => unknown]>([
    ['nothing', () => undefined],
    ['a text', () => 'allow'],
    ['a promise', late],
    ['a success without a response', () => ({ type: 'success' })],
    ['no diagnostics', responding({ diagnostics: undefined })],
    ['an unknown decision', responding({ decision: 'Allow' })],
    ['errors that are not a list', responding({ diagnostics: { reason: [], errors: {} } })],
    ['reasons that are not strings', responding({ diagnostics: { reason: [1], errors: [] } })],
    ['another type', () => ({ type: 'residuals', response: permit })],
  ])('deny when the engine returns %s, with the cause', (_, statefulIsAuthorized) => {
    const lying = { ...options, cedar: { ...cedar, statefulIsAuthorized } as CedarEngine };
    const closed = cedarPermissions(lying);
    const decision = closed({ id: 'a' }, 'order:read', open);
    expect(decision).toMatchObject({ allowed: false, reason: 'unavailable' });
    expect((decision.cause as Error).message).toContain('does not have the form of Cedar 4');
    expect(cedarPermissions({ ...lying, onFailure: 'open' })({ id: 'a' }, 'order:read', open).allowed).toBe(true);
    expect(closed.explain({ id: 'a' }, 'order:read', open)).toEqual([]);
  });

  it('deny even with onFailure open when the engine returns a failure without errors', () => {
    const lying = { ...cedar, statefulIsAuthorized: () => ({ type: 'failure' }) } as unknown as CedarEngine;
    const decision = cedarPermissions({ ...options, cedar: lying, onFailure: 'open' })({ id: 'a' }, 'order:read', open);
    expect(decision).toMatchObject({ allowed: false, reason: 'ruleFailed' });
  });

  it('report the cause when Cedar does not decide', () => {
    const causeOf = (broken: object, resource = open): unknown =>
      cedarPermissions({ ...options, ...broken })({ id: 'a' }, 'order:cancel', resource).cause;
    expect(causeOf({ entitiesOf: failing })).toMatchObject({ message: 'out of memory' });
    expect(causeOf({ principalOf: () => ({ type: 'not a type', id: 'a' }) })).toMatchObject({
      message: expect.stringContaining('not a type') as string,
    });
    expect(causeOf({}, { id: '1', owner: 'a' })).toMatchObject({
      message: expect.stringContaining('locked') as string,
    });
    const closed = cedarPermissions({ ...options, entitiesOf: failing });
    expect(() => closed.assert({ id: 'a' }, 'order:read', open)).toThrow(
      expect.objectContaining({
        message: 'order:read is not allowed: the permission service did not decide.',
        retryable: true,
        cause: expect.objectContaining({ message: 'out of memory' }) as Error,
      }) as Error,
    );
  });

  it('with a schema do not decide requests that do not conform to it', () => {
    const schema = `
      entity Group;
      entity User in [Group];
      entity Order { owner: User, locked?: Bool };
      action "order:read", "order:cancel", "order:export" appliesTo { principal: User, resource: Order, context: { office: Bool } };
    `;
    const strict = cedarPermissions({ ...options, schema, policies: { own: policies.own } });
    expect(strict({ id: 'a' }, 'order:read', open).allowed).toBe(true);
    expect(strict({ id: 'a' }, 'order:drop', open)).toMatchObject({ allowed: false, reason: 'ruleFailed' });
    expect(strict.version).not.toBe(cedarPermissions({ ...options, policies: { own: policies.own } }).version);
  });

  it('do not mix with other policies in the same engine', () => {
    const none = cedarPermissions({ ...options, policies: 'forbid(principal, action, resource);' });
    expect(none({ id: 'a' }, 'order:read', open)).toMatchObject({ allowed: false, reason: 'denied' });
    expect(can({ id: 'a' }, 'order:read', open).allowed).toBe(true);
  });

  it.each<[string, object, string]>([
    ['policies that cannot be read', { policies: 'permit(principal, action' }, 'policies'],
    ['a schema that cannot be read', { schema: 'entity' }, 'schema'],
    ['a value that is not an engine', { cedar: {} }, 'cedar.preparsePolicySet'],
    ['an engine without a result', { cedar: { ...cedar, preparsePolicySet: () => undefined } }, 'policies'],
    ['a misspelt option', { policy: '' }, 'policy'],
    ['an invalid onFailure', { onFailure: true }, 'onFailure'],
  ])('%s', (_, wrong, path) => {
    const make = () => cedarPermissions({ ...options, ...wrong } as never);
    expect(make).toThrow(OptionsError);
    expect(make).toThrow(expect.objectContaining({ path: `cedarPermissions.${path}` }) as Error);
  });
});
