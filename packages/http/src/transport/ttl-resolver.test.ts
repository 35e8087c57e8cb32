import type { LookupAddress } from 'node:dns';
import { virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';
import { TtlResolver, type ResolvedAddress } from './ttl-resolver.ts';

const clock = virtualClock();

function resolverOf(answer: (hostname: string) => readonly ResolvedAddress[]): {
  resolver: TtlResolver;
  questions: string[];
  look: (options?: object, hostname?: string) => Promise<unknown>;
} {
  const questions: string[] = [];
  const resolver = new TtlResolver(async (hostname) => {
    questions.push(hostname);
    return answer(hostname);
  }, clock);
  const look = (options: object = { all: true }, hostname = 'a.example'): Promise<unknown> =>
    new Promise((resolve, reject) => {
      resolver.lookup(hostname, options, (error, address: string | LookupAddress[], family) =>
        error === null
          ? resolve(Array.isArray(address) ? address.map((one) => one.address) : [address, family])
          : reject(error),
      );
    });
  return { resolver, questions, look };
}

const both = [
  { address: '192.0.2.1', ttlMs: 60_000 },
  { address: '2001:db8::1', ttlMs: 5_000 },
];

test('returns addresses by family, as dns.lookup does', async () => {
  const { look } = resolverOf(() => both);
  expect(await look()).toEqual(['192.0.2.1', '2001:db8::1']);
  expect(await look({ all: true, family: 6 })).toEqual(['2001:db8::1']);
  expect(await look({ all: true, family: 'IPv4' })).toEqual(['192.0.2.1']);
  expect(await look({})).toEqual(['192.0.2.1', 4]);
  expect(await look({ family: 6 })).toEqual(['2001:db8::1', 6]);
});

test('resolves once for concurrent lookups, and again when the shortest TTL has passed', async () => {
  const { look, questions } = resolverOf(() => both);
  await Promise.all([look(), look(), look()]);
  await clock.advance(4_999);
  await look();
  expect(questions).toHaveLength(1);
  await clock.advance(1);
  await look();
  expect(questions).toHaveLength(2);
});

test.each([0, -5, Number.NaN])('a TTL of %s never caches an address for longer than a second', async (ttlMs) => {
  const { look, questions } = resolverOf(() => [{ address: '192.0.2.1', ttlMs }]);
  await look();
  await clock.advance(1_000);
  await look();
  expect(questions).toHaveLength(2);
});

test('AC37: a result without addresses fails with ENODATA, and is not cached', async () => {
  const { look, questions } = resolverOf(() => []);
  await expect(look()).rejects.toMatchObject({ code: 'ENODATA' });
  await expect(look()).rejects.toMatchObject({ code: 'ENODATA' });
  expect(questions).toHaveLength(2);
});

test('numbers the moves of a name, also when a lookup has refreshed it', async () => {
  const name = 'a.example';
  const addresses = new Map([
    [name, '192.0.2.1'],
    ['b.example', '192.0.2.1'],
  ]);
  const { resolver, look } = resolverOf((hostname) => [{ address: addresses.get(hostname) as string, ttlMs: 5_000 }]);
  expect([resolver.isRefreshDue(name), resolver.lastMove(name)]).toEqual([false, 0]);
  await look();
  expect([resolver.isRefreshDue(name), resolver.lastMove(name)]).toEqual([false, 0]);
  await clock.advance(5_000);
  expect(resolver.isRefreshDue(name)).toBe(true);
  await resolver.refresh(name);
  expect([resolver.isRefreshDue(name), resolver.lastMove(name)]).toEqual([false, 0]);
  addresses.set(name, '192.0.2.2');
  await clock.advance(5_000);
  await look();
  const move = resolver.lastMove(name);
  expect([resolver.isRefreshDue(name), move > 0]).toEqual([false, true]);
  await clock.advance(5_000);
  await resolver.refresh(name);
  expect(resolver.lastMove(name)).toBe(move);
  addresses.set(name, '192.0.2.1');
  await clock.advance(5_000);
  await resolver.refresh(name);
  expect(resolver.lastMove(name)).toBeGreaterThan(move);
  await look({ all: true }, 'b.example');
  expect(resolver.lastMove('b.example')).toBe(0);
});

test('an additional address is not a move', async () => {
  const results = [{ address: '192.0.2.1', ttlMs: 1_000 }];
  const { resolver, look } = resolverOf(() => [...results]);
  await look();
  results.push({ address: '192.0.2.2', ttlMs: 1_000 });
  await clock.advance(1_000);
  await resolver.refresh('a.example');
  expect(resolver.lastMove('a.example')).toBe(0);
});

test('caches a thousand names', async () => {
  const { look, questions } = resolverOf(() => [{ address: '192.0.2.1', ttlMs: 60_000 }]);
  for (let i = 0; i < 1_001; i++) await look({}, `${i}.example`);
  await look({}, '1000.example');
  expect(questions).toHaveLength(1_001);
  await look({}, '0.example');
  expect(questions).toHaveLength(1_002);
});

test('a query that hangs is sent again after 5 s, and its late result does not replace the newer one', async () => {
  const questions: ((address: string) => void)[] = [];
  const resolver = new TtlResolver(
    () => new Promise((resolve) => questions.push((address) => resolve([{ address, ttlMs: 600_000 }]))),
    clock,
  );
  const look = (): Promise<unknown> =>
    new Promise((resolve) => resolver.lookup('a.example', { all: true }, (_error, found) => resolve(found)));
  const early = [look(), look()];
  await clock.advance(4_999);
  void look();
  expect(questions).toHaveLength(1);
  await clock.advance(1);
  const later = look();
  expect(questions).toHaveLength(2);
  questions[1]?.('192.0.2.2');
  expect(await later).toEqual([{ address: '192.0.2.2', family: 4 }]);
  questions[0]?.('192.0.2.1');
  expect(await Promise.all(early)).toEqual(Array(2).fill([{ address: '192.0.2.1', family: 4 }]));
  expect(await look()).toEqual([{ address: '192.0.2.2', family: 4 }]);
  expect(resolver.isRefreshDue('a.example')).toBe(false);
  expect(questions).toHaveLength(2);
});

test('a name whose refresh hangs becomes due again after 5 s', async () => {
  let lookups = 0;
  const resolver = new TtlResolver(
    () => (lookups++ === 0 ? Promise.resolve([{ address: '192.0.2.1', ttlMs: 1_000 }]) : new Promise(() => {})),
    clock,
  );
  await new Promise((resolve) => resolver.lookup('a.example', { all: true }, resolve));
  await clock.advance(1_000);
  void resolver.refresh('a.example');
  expect(resolver.isRefreshDue('a.example')).toBe(false);
  await clock.advance(5_000);
  expect(resolver.isRefreshDue('a.example')).toBe(true);
});
