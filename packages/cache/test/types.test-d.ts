import { createCache, type Cache, type EntryState, type LoadContext, type StandardSchema } from '@macadam/cache';
import { expectTypeOf } from 'vitest';

interface User {
  readonly name: string;
}
declare const user: User;

const users = createCache<User>({ name: 'users' });
expectTypeOf(users).toEqualTypeOf<Cache<User>>();
expectTypeOf(users.peek('a')).toEqualTypeOf<User | undefined>();
expectTypeOf(users.getOrLoad('a', async () => user)).resolves.toEqualTypeOf<User>();
expectTypeOf(users.getOrLoad('a', () => user)).resolves.toEqualTypeOf<User>();
// A loader that may return undefined makes the result possibly undefined.
expectTypeOf(users.getOrLoad('a', async (): Promise<User | undefined> => undefined)).resolves.toEqualTypeOf<
  User | undefined
>();
expectTypeOf(users.getOrLoadMany(['a'], async () => ({ a: user }))).resolves.toEqualTypeOf<Map<string, User>>();
expectTypeOf(users.getOrLoadMany(['a'], (keys) => keys.map((key) => [key, user] as const))).resolves.toEqualTypeOf<
  Map<string, User>
>();
expectTypeOf(users.inspect('a')).toEqualTypeOf<EntryState | undefined>();
void users.getOrLoad('a', (context) => {
  expectTypeOf(context).toEqualTypeOf<LoadContext<User>>();
  return user;
});

// @ts-expect-error: an absence is cached only where the type of the values says that there can be one
void users.getOrLoad('a', async () => null);
expectTypeOf(
  createCache<User | null>({ name: 'n' }).getOrLoad('a', async () => null),
).resolves.toEqualTypeOf<User | null>();
// @ts-expect-error: tags are a list
void users.getOrLoad('a', () => user, { tags: 'org' });
// @ts-expect-error: a tier has to do something
createCache<User>({ name: 'users', l2: {} });

const schema: StandardSchema<User> = { '~standard': { version: 1, vendor: 'test', validate: () => ({ value: user }) } };
// A schema must match the type of the values.
expectTypeOf(createCache({ name: 'users', schema })).toEqualTypeOf<Cache<User>>();
expectTypeOf(createCache<User | null>({ name: 'users', schema })).toEqualTypeOf<Cache<User | null>>();
// @ts-expect-error: a schema of something else
createCache<number>({ name: 'users', schema });
