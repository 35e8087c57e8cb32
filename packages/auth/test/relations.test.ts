// The relation graph in memory, compared with a simple reference implementation; rules with relations; cached decisions.
import { OptionsError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cachedPermissions, definePermissions, relationGraph, type RelationTuple } from '../src/index.ts';

const tuple = (text: string): RelationTuple => {
  const [subject = '', relation = '', object = ''] = text.split(' ');
  return { subject, relation, object };
};
const relations = {
  viewer: { includes: ['editor'], from: ['parent'] },
  editor: { includes: ['owner'], from: ['parent'] },
};
const made = () =>
  relationGraph({
    relations,
    tuples: [
      'user:ann member team:eng',
      'team:eng#member member team:all',
      'team:all#member editor folder:1',
      'folder:1 parent folder:2',
      'folder:2 parent doc:7',
      'user:bob owner doc:7',
      'user:* viewer doc:8',
      'user:cid banned doc:8',
    ].map(tuple),
  });

describe('relations', () => {
  it.each([
    ['itself', 'user:ann member team:eng', true],
    ['a group in a group', 'user:ann member team:all', true],
    ['a group, its folder, and the folder above', 'user:ann viewer doc:7', true],
    ['an included relation', 'user:bob viewer doc:7', true],
    ['not inversely', 'user:ann owner doc:7', false],
    ['every subject of a kind', 'user:zoe viewer doc:8', true],
    ['not for a subject of another kind', 'service:zoe viewer doc:8', false],
    ['a group as the subject of a check', 'team:eng#member viewer doc:7', true],
    ['a stranger', 'user:zoe viewer doc:7', false],
    ['an inherited name', 'user:ann constructor __proto__:x', false],
    ['an unknown object', 'user:ann viewer doc:9', false],
    ['a subject without a kind, even if every subject has the relation', 'userx viewer doc:8', false],
    ['a subject without a name, even if every subject has the relation', 'user: viewer doc:8', false],
    ['an object that names a relation, too', 'user:zoe viewer doc:8#viewer', false],
  ])('hold by %s', (_, text, expected) => {
    const { subject, relation, object } = tuple(text);
    expect(made().has(subject, relation, object)).toBe(expected);
  });

  it('can be added and removed', () => {
    const graph = made();
    const one = tuple('user:dan member team:eng');
    expect([graph.add(one), graph.add(one), graph.size]).toEqual([true, false, 9]);
    expect(graph.has('user:dan', 'viewer', 'doc:7')).toBe(true);
    expect([graph.remove(one), graph.remove(one), graph.size]).toEqual([true, false, 8]);
    expect(graph.has('user:dan', 'viewer', 'doc:7')).toBe(false);
  });

  it('end in cycles, and throw beyond 25 levels', () => {
    const circle = relationGraph({
      relations: { member: { from: ['member'] } },
      tuples: ['team:a#member member team:b', 'team:b#member member team:a', 'team:a member team:b'].map(tuple),
    });
    expect(circle.has('user:x', 'member', 'team:a')).toBe(false);
    const chain = Array.from({ length: 30 }, (_, n) => tuple(`team:${n}#member member team:${n + 1}`));
    const deep = relationGraph({ tuples: [tuple('user:x member team:0'), ...chain] });
    expect(deep.has('user:x', 'member', 'team:25')).toBe(true);
    expect(() => deep.has('user:x', 'member', 'team:26')).toThrow(RangeError);
  });

  it('equal those found by a fixed-point computation', () => {
    const objects = ['t:a', 't:b', 't:c', 't:d'];
    const subject = fc.oneof(
      fc.constantFrom('u:x', 'u:y', 'u:*', ...objects),
      fc.constantFrom(...objects).map((one) => `${one}#r`),
    );
    const one = fc.record({ subject, relation: fc.constantFrom('r', 's'), object: fc.constantFrom(...objects) });
    fc.assert(
      fc.property(fc.array(one, { maxLength: 12 }), (tuples) => {
        const graph = relationGraph({ relations: { r: { includes: ['s'], from: ['s'] } }, tuples });
        // Everything that x has a relation to, extended until nothing is added.
        const held = new Set<string>();
        const has = (who: string) => who === 'u:x' || who === 'u:*' || held.has(who);
        for (let before = -1; before < held.size;) {
          before = held.size;
          for (const { subject: who, relation, object } of tuples) {
            if (has(who)) held.add(`${object}#${relation}`);
            if (held.has(`${object}#s`)) held.add(`${object}#r`);
            if (relation === 's' && held.has(`${who}#r`)) held.add(`${object}#r`);
          }
        }
        for (const object of objects) {
          expect(graph.has('u:x', 'r', object)).toBe(held.has(`${object}#r`));
          expect(graph.has('u:x', 's', object)).toBe(held.has(`${object}#s`));
        }
      }),
      { numRuns: 400, seed: 5 },
    );
  });

  it.each([
    ['a subject without a kind', { tuples: [tuple('ann member team:a')] }, 'tuple.subject'],
    ['a group as object', { tuples: [tuple('user:a member team:a#b')] }, 'tuple.object'],
    ['a relation with a colon', { tuples: [tuple('user:a mem:ber team:a')] }, 'tuple.relation'],
    ['an unknown option', { relations: { a: { include: ['b'] } } }, 'relations.a.include'],
    ['an invalid name', { relations: { a: { includes: ['b#c'] } } }, 'relations.a'],
  ])('reject %s', (_, options, path) => {
    expect(() => relationGraph(options as never)).toThrow(
      expect.objectContaining({ path: `relationGraph.${path}` }) as Error,
    );
  });
});

interface User {
  id: string;
}
interface Doc {
  id: string;
  locked?: boolean;
}

it.each<[string, () => unknown]>([
  [
    'a string for the relations it includes',
    () => relationGraph({ relations: { a: { includes: 'editor' as never } } }),
  ],
  [
    'a string for the relations it derives from',
    () => relationGraph({ relations: { a: { from: 'parent' as never } } }),
  ],
  ['an object instead of the function that returns the object name', () => relationGraph().relation('a', {} as never)],
  ['null instead of the function that returns the object name', () => relationGraph().relation('a', null as never)],
  ['a number for tuples', () => relationGraph({ tuples: 5 as never })],
])('relationGraph rejects %s', (_, make) => {
  expect(make).toThrow(OptionsError);
});

describe('rules with relations', () => {
  const graph = made();
  const names = { subject: ({ id }: User) => `user:${id}`, object: ({ id }: Doc) => `doc:${id}` };
  const can = definePermissions<User, Doc>({
    relations: {
      viewer: graph.relation('viewer', names),
      banned: graph.relation('banned', names),
      broken: () => {
        throw new Error('down');
      },
      vague: () => undefined as never,
    },
    rules: [
      { id: 'read', actions: ['doc:read'], relations: ['viewer'] },
      { id: 'banned', effect: 'deny', actions: ['doc:*'], relations: ['banned'] },
      { id: 'print', actions: ['doc:print'], relations: ['vague', 'broken', 'viewer'] },
      { id: 'copy', actions: ['doc:copy'], relations: ['viewer'] },
      { id: 'no copies', effect: 'deny', actions: ['doc:copy'], relations: ['broken'] },
    ],
  });

  it.each<[string, string, string | undefined, string]>([
    ['ann', 'doc:read', '7', 'allowed'],
    ['zoe', 'doc:read', '7', 'noRule'],
    ['zoe', 'doc:read', '8', 'allowed'],
    ['cid', 'doc:read', '8', 'denied'],
    ['ann', 'doc:read', undefined, 'noRule'],
    ['', 'doc:read', '8', 'noRule'],
    ['x#member', 'doc:read', '8', 'noRule'],
    ['cid', 'doc:read', undefined, 'noRule'],
    ['ann', 'doc:print', '7', 'noRule'],
    ['ann', 'doc:copy', '7', 'ruleFailed'],
  ])('%s, %s of %s: %s', (user, action, doc, reason) => {
    expect(can({ id: user }, action, doc === undefined ? undefined : { id: doc }).reason).toBe(reason);
  });

  it('reject a relation that is not defined', () => {
    const rules = [{ id: 'x', actions: ['a:b'] as const, relations: ['toString'] }];
    expect(() => definePermissions({ rules })).toThrow(OptionsError);
    expect(() => definePermissions({ rules: [{ ...rules[0]!, relations: [] }] })).toThrow(OptionsError);
    expect(() => definePermissions({ rules: [], relations: { a: 1 as never } })).toThrow(OptionsError);
  });
});

describe('cached decisions', () => {
  const clock = virtualClock();
  const checked: string[] = [];
  const define = (version: string, answer = true) =>
    definePermissions<User, Doc>({
      version,
      rules: [
        {
          id: 'x',
          actions: ['doc:read', 'doc:write'],
          when: ({ principal, action, resource }) =>
            checked.push(`${principal.id} ${action} ${resource?.id}`) > 0 && answer,
        },
        {
          id: 'fails',
          effect: 'deny',
          actions: ['doc:write'],
          when: () => {
            throw new Error('down');
          },
        },
      ],
    });
  const keyOf = ({ id }: User, doc: Doc | undefined) => (doc?.locked === true ? undefined : [id, doc?.id ?? null]);
  const cached = (options: object = {}) => cachedPermissions(define('v1'), { keyOf, clock, ttlMs: 1_000, ...options });
  const read = (can: ReturnType<typeof cached>, user: string, doc: string) =>
    can({ id: user }, 'doc:read', { id: doc });

  it('are reused until their TTL has passed', async () => {
    const can = cached();
    checked.length = 0;
    expect(read(can, 'a', '1')).toBe(read(can, 'a', '1'));
    expect(can.many({ id: 'a' }, 'doc:read', [{ id: '1' }, { id: '2' }]).map(({ allowed }) => allowed)).toEqual([
      true,
      true,
    ]);
    expect(checked).toEqual(['a doc:read 1', 'a doc:read 2']);
    expect(can.stats()).toEqual({ hits: 2, misses: 2, entries: 2 });
    await clock.advance(1_000);
    read(can, 'a', '1');
    expect(checked).toHaveLength(3);
  });

  it('are distinct, whatever the parts of their keys contain', () => {
    const can = cached();
    checked.length = 0;
    read(can, 'a,1', '1');
    read(can, 'a', '1,1');
    read(can, '["a"', '1');
    expect(checked).toHaveLength(3);
  });

  it.each<[string, unknown]>([
    ['an object, which is serialized like any other', [new Map()]],
    ['NaN, which is serialized as null', [Number.NaN]],
    ['undefined, which is serialized as null', [undefined]],
    ['a bigint', [1n]],
    ['a string instead of a list', 'ab'],
    ['null instead of a list', null],
  ])('reject an ambiguous key: %s', (_, parts) => {
    const can = cached({ keyOf: () => parts as never });
    expect(() => read(can, 'a', '1')).toThrow(OptionsError);
    expect(can.stats().entries).toBe(0);
  });

  it('belong to one version of the rules', () => {
    const other = cachedPermissions(define('v2', false), { keyOf, clock });
    expect(read(cached(), 'a', '1').allowed).toBe(true);
    expect(read(other, 'a', '1')).toMatchObject({ allowed: false, policyVersion: 'v2' });
  });

  it('are not cached without a key, or when a rule failed', () => {
    const can = cached();
    checked.length = 0;
    for (let n = 0; n < 2; n++) {
      can({ id: 'a' }, 'doc:read', { id: '1', locked: true });
      expect(can({ id: 'a' }, 'doc:write', { id: '1' }).reason).toBe('ruleFailed');
    }
    expect(checked).toEqual(['a doc:read 1', 'a doc:read 1']);
    expect(can.stats().entries).toBe(0);
    expect(() => can.assert({ id: 'a' }, 'doc:write', { id: '1' })).toThrow(/doc:write is not allowed/);
    expect(can.explain({ id: 'a' }, 'doc:read', { id: '1' })).toHaveLength(1);
  });

  it('are bounded: the oldest is evicted first', () => {
    const can = cached({ maxEntries: 2 });
    for (const doc of ['1', '2', '3']) read(can, 'a', doc);
    expect(can.stats().entries).toBe(2);
    checked.length = 0;
    read(can, 'a', '3');
    read(can, 'a', '1');
    expect(checked).toEqual(['a doc:read 1']);
  });
});
