/**
 * A client with a cache against what RFC 9111 would let any cache do, said as plainly as it can be: nothing is stored here,
 * there is only the list of what the origin said. What a call is given must be among what that list allows, and what it must
 * be given without asking is given without asking.
 */
import { seededRandom, virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HttpCacheOptions } from '../src/index.ts';
import { cachingClient } from './cache-scenario.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

type Mode = NonNullable<HttpCacheOptions['mode']>;
type Directives = Readonly<Record<string, number | true>>;

interface Step {
  afterSeconds: number;
  method: 'GET' | 'HEAD' | 'POST';
  path: '/plain' | '/varies';
  plan: string;
  token: string;
  asked: string;
  /** What the origin says next of how its answers may be kept; and whether there is something new. */
  says: string;
  changes: boolean;
  /** How the origin fails, if it does. */
  fails: 'reset' | 503 | undefined;
}

/** One thing that the origin said of one version. */
interface Said {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly plan: string;
  readonly token: string;
  readonly version: number;
  readonly control: Directives;
  /** Whether the request said that nothing of it is to be kept. */
  readonly aside: boolean;
}

const CONTROLS = [
  ...[
    'max-age=5',
    'max-age=10',
    'max-age=10, must-revalidate',
    'no-cache',
    'no-store',
    'max-age=0',
    'private, max-age=10',
  ],
  ...[
    'max-age=5, stale-while-revalidate=10',
    'max-age=5, stale-if-error=10',
    'public, max-age=10',
    's-maxage=5, max-age=20',
  ],
];
const ASKED = [
  '',
  '',
  '',
  'no-cache',
  'no-store',
  'max-age=3',
  'min-fresh=4',
  'max-stale',
  'max-stale=3',
  'only-if-cached',
];

const step: fc.Arbitrary<Step> = fc.record({
  afterSeconds: fc.nat(8),
  method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'POST'),
  path: fc.constantFrom('/plain', '/varies'),
  plan: fc.constantFrom('a', 'b'),
  token: fc.constantFrom('', '', 'x', 'y'),
  asked: fc.constantFrom(...ASKED),
  says: fc.constantFrom(...CONTROLS),
  changes: fc.constantFrom(false, false, true),
  fails: fc.constantFrom<Step['fails']>(undefined, undefined, undefined, undefined, 'reset', 503),
});

function parsed(control: string): Directives {
  const pairs = control.split(', ').map((one) => one.split('='));
  return Object.fromEntries(pairs.map(([name, value]) => [name, value === undefined ? true : Number(value)]));
}

const seconds = (directives: Directives, name: string): number | undefined =>
  typeof directives[name] === 'number' ? directives[name] : undefined;

/** How long what was said is fresh, and whether it forbids to be given stale. */
function lifetime({ control }: Said, mode: Mode): { freshSeconds: number; strict: boolean } {
  const shared = mode === 'shared' ? seconds(control, 's-maxage') : undefined;
  const strict = 'must-revalidate' in control || 'no-cache' in control || shared !== undefined;
  return { freshSeconds: shared ?? seconds(control, 'max-age') ?? 0, strict };
}

function mayKeep({ control, token }: Said, mode: Mode): boolean {
  if ('no-store' in control) return false;
  if (mode === 'private') return true;
  const open = ['public', 's-maxage', 'must-revalidate'].some((name) => name in control);
  return !('private' in control) && (token === '' || open);
}

/** Whether what was said to one may be known to another. */
function isFor(token: string, said: Said, mode: Mode): boolean {
  return said.token === token || mayKeep({ ...said, token: 'another' }, mode);
}

/** Whether what was said so long ago may be given without asking. */
function mayServe(said: Said, ageSeconds: number, asked: Directives, mode: Mode): boolean {
  const { freshSeconds, strict } = lifetime(said, mode);
  const leftSeconds = freshSeconds - ageSeconds;
  if (!mayKeep(said, mode) || 'no-cache' in said.control || 'no-cache' in asked || 'no-store' in asked) return false;
  if (ageSeconds > (seconds(asked, 'max-age') ?? Infinity)) return false;
  if (leftSeconds < (seconds(asked, 'min-fresh') ?? -Infinity)) return false;
  if (leftSeconds > 0) return true;
  if (strict) return false;
  if ('max-stale' in asked && -leftSeconds <= (seconds(asked, 'max-stale') ?? Infinity)) return true;
  return -leftSeconds <= (seconds(said.control, 'stale-while-revalidate') ?? -1);
}

/** Whether it may stand in when the origin fails, or cannot be reached. */
function mayStandIn(
  said: Said,
  ageSeconds: number,
  asked: Directives,
  { mode, reset }: { mode: Mode; reset: boolean },
): boolean {
  const { freshSeconds, strict } = lifetime(said, mode);
  if (!mayKeep(said, mode) || strict) return false;
  const staleSeconds = ageSeconds - freshSeconds;
  if (staleSeconds <= (seconds(said.control, 'stale-if-error') ?? -1)) return true;
  const demands = ['no-cache', 'max-age', 'min-fresh', 'max-stale'].some((name) => name in asked);
  const told = ['stale-if-error', 's-maxage'].some((name) => name in said.control);
  return reset && !demands && !told && freshSeconds > 0 && staleSeconds <= 3_600;
}

async function run(mode: Mode, steps: readonly Step[]): Promise<void> {
  const clock = virtualClock();
  const versions: Record<string, number> = { '/plain': 1, '/varies': 1 };
  const changedAt: Record<string, number> = { '/plain': 1, '/varies': 1 };
  const said: Said[] = [];
  let now = steps[0] as Step;
  const origin = scriptedDispatcher((): Script => {
    const { path, method } = origin.sent.at(-1) as { path: string; method: string };
    const sent = origin.headersOf(origin.sent.length - 1);
    if (now.fails !== undefined) return now.fails === 'reset' ? { error: 'ECONNRESET' } : { status: 503 };
    if (method === 'POST') {
      versions[path] = (versions[path] as number) + 1;
      return { status: 204 };
    }
    const [version, plan, token] = [versions[path] as number, sent['x-plan'] as string, sent['authorization'] ?? ''];
    const aside = sent['cache-control']?.includes('no-store') === true;
    said.push({ at: clock.now(), method, path, plan, token, version, control: parsed(now.says), aside });
    const etag = `"${version}-${path === '/varies' ? plan : ''}"`;
    const headers = { etag, 'cache-control': now.says, ...(path === '/varies' && { vary: 'x-plan' }) };
    if (sent['if-none-match'] === etag) return { status: 304, headers };
    return { status: 200, headers, body: method === 'HEAD' ? [] : JSON.stringify({ version, plan, token }) };
  });
  await using client = cachingClient(clock, { mode }, origin, { random: seededRandom(1) });
  for (now of steps) {
    const { afterSeconds, method, path, plan, token, changes } = now;
    await clock.advance(afterSeconds * 1_000);
    if (changes) versions[path] = (versions[path] as number) + 1;
    const asked = parsed(now.asked);
    const before = said.length;
    const headers = {
      'x-plan': plan,
      ...(token !== '' && { authorization: token }),
      ...(now.asked !== '' && { 'cache-control': now.asked }),
    };
    const answer = await client.request(method, path, { headers }).catch((error: { code: string }) => {
      expect(error.code).toBe('MAC_HTTP_NETWORK');
      return undefined;
    });
    await clock.settle();
    if (method === 'POST') {
      if (answer?.status === 204) changedAt[path] = versions[path] as number;
      continue;
    }
    const how = answer?.headers.get('cache-status') ?? '';
    const isOwn = (one: Said): boolean =>
      one.path === path && (path === '/plain' || one.plan === plan) && (mode === 'shared' || one.token === token);
    const known = said.slice(0, before).filter((one) => isOwn(one) && !one.aside);
    const last = known.at(-1);
    // What is for all depends on what the answers to those with a token say; that is not asked for here.
    const tokenless = mode === 'private' || (token === '' && known.every((one) => one.token === ''));
    if (last !== undefined && last.method === 'GET' && tokenless && last.version >= (changedAt[path] as number)) {
      const ageSeconds = (clock.now() - last.at) / 1_000;
      const fresh = lifetime(last, mode).freshSeconds > ageSeconds;
      const must = fresh && mayServe(last, ageSeconds, asked, mode);
      if (must) expect(how, 'what is fresh is given without asking').toMatch(/^prices; hit; ttl=\d+$/);
    }
    if (answer?.status !== 200 || method === 'HEAD') continue;
    const given = answer.data as { version: number; plan: string; token: string } | undefined;
    const body = given ?? (JSON.parse(answer.text()) as { version: number; plan: string; token: string });
    if (path === '/varies') expect(body.plan).toBe(plan);
    if (mode === 'private') expect(body.token).toBe(token);
    expect(body.version, 'no change of its own is forgotten').toBeGreaterThanOrEqual(changedAt[path] as number);
    if (!how.includes('hit')) {
      expect(body.version, 'what the origin was asked for is what there is').toBe(versions[path]);
      continue;
    }
    const confirmed = known.filter((one) => one.version === body.version && isFor(token, one, mode));
    // HEAD speaks of what is stored, but stores nothing. Of what was said to several, an older answer can be all that is left.
    const counts = [confirmed.at(-1), confirmed.findLast((one) => one.method === 'GET')];
    const lasts = mode === 'shared' ? confirmed : counts;
    const may = lasts.some((one) => {
      if (one === undefined) return false;
      const ageSeconds = (clock.now() - one.at) / 1_000;
      return how.includes('fwd=stale')
        ? mayStandIn(one, ageSeconds, asked, { mode, reset: now.fails === 'reset' })
        : mayServe(one, ageSeconds, asked, mode);
    });
    expect(may, `${how}, ${JSON.stringify(lasts)}`).toBe(true);
  }
}

test.each<Mode>(['private', 'shared'])('a %s cache gives what it may, and what it must', async (mode) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => run(mode, steps)),
    { numRuns: Number(process.env['MODEL_RUNS'] ?? 200) },
  );
});
