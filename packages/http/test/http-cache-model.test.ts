/**
 * Compares a client with a cache against a model of RFC 9111. The model stores nothing. It is the list of what the origin has
 * said so far: a response that the cache serves must be one that the list allows, and a response that the list says is fresh
 * must be served without a request.
 */
import { seededRandom, virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CacheMode } from '../src/index.ts';
import { cachingClient } from './cache-scenario.ts';
import { scriptedDispatcher, type Script } from './scripted-dispatcher.ts';

type Directives = Readonly<Record<string, number | true>>;

interface Step {
  afterSeconds: number;
  method: 'GET' | 'HEAD' | 'POST';
  path: '/plain' | '/varies';
  /** The selecting header field of `/varies`. */
  plan: string;
  /** The `Authorization` of the request; empty for none. */
  token: string;
  /** The `Cache-Control` of the request; empty for none. */
  requestControl: string;
  /** The `Cache-Control` of the origin's response to this step. */
  responseControl: string;
  /** Whether the representation has changed before this step. */
  changes: boolean;
  /** Whether the response has an entity tag. */
  hasTag: boolean;
  /** How the origin fails in this step. */
  failure: 'reset' | 503 | undefined;
}

/** One response of the origin. */
interface Statement {
  readonly at: number;
  readonly method: string;
  readonly path: string;
  readonly plan: string;
  readonly token: string;
  readonly version: number;
  readonly hasTag: boolean;
  readonly control: Directives;
  /** Whether the request had `no-store`. */
  readonly requestedNoStore: boolean;
}

const RESPONSE_CONTROLS = [
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
const REQUEST_CONTROLS = [
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

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.record<Step>({
    afterSeconds: fc.nat(8),
    method: fc.constantFrom('GET', 'GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'HEAD', 'POST'),
    path: fc.constantFrom('/plain', '/varies'),
    plan: fc.constantFrom('a', 'b'),
    token: fc.constantFrom('', '', 'x', 'y'),
    requestControl: fc.constantFrom(...REQUEST_CONTROLS),
    responseControl: fc.constantFrom(...RESPONSE_CONTROLS),
    changes: fc.constantFrom(false, false, true),
    hasTag: fc.boolean(),
    failure: fc.constantFrom<Step['failure']>(undefined, undefined, undefined, undefined, 'reset', 503),
  }),
  { minLength: 10, maxLength: 40 },
);

function parseDirectives(control: string): Directives {
  const pairs = control.split(', ').map((directive) => directive.split('='));
  return Object.fromEntries(pairs.map(([name, value]) => [name, value === undefined ? true : Number(value)]));
}

const seconds = (directives: Directives, name: string): number | undefined =>
  typeof directives[name] === 'number' ? directives[name] : undefined;

function freshness({ control }: Statement, mode: CacheMode): { lifetimeSeconds: number; forbidsStale: boolean } {
  const shared = mode === 'shared' ? seconds(control, 's-maxage') : undefined;
  const forbidsStale = 'must-revalidate' in control || 'no-cache' in control || shared !== undefined;
  return { lifetimeSeconds: shared ?? seconds(control, 'max-age') ?? 0, forbidsStale };
}

function isStorable({ control, token }: Statement, mode: CacheMode): boolean {
  if ('no-store' in control) return false;
  if (mode === 'private') return true;
  const allowsAuthorized = ['public', 's-maxage', 'must-revalidate'].some((name) => name in control);
  return !('private' in control) && (token === '' || allowsAuthorized);
}

/** Whether the response to one token may be served to another. */
function isSharedWith(token: string, statement: Statement, mode: CacheMode): boolean {
  return statement.token === token || isStorable({ ...statement, token: 'another' }, mode);
}

/** Whether a response of this age may be served without a request to the origin. */
function mayServe(statement: Statement, ageSeconds: number, request: Directives, mode: CacheMode): boolean {
  const { lifetimeSeconds, forbidsStale } = freshness(statement, mode);
  const freshForSeconds = lifetimeSeconds - ageSeconds;
  if (!isStorable(statement, mode) || 'no-cache' in statement.control) return false;
  if ('no-cache' in request || 'no-store' in request) return false;
  if (ageSeconds > (seconds(request, 'max-age') ?? Infinity)) return false;
  if (freshForSeconds < (seconds(request, 'min-fresh') ?? -Infinity)) return false;
  if (freshForSeconds > 0) return true;
  if (forbidsStale) return false;
  if ('max-stale' in request && -freshForSeconds <= (seconds(request, 'max-stale') ?? Infinity)) return true;
  return -freshForSeconds <= (seconds(statement.control, 'stale-while-revalidate') ?? -1);
}

/** Whether a response may be served because the origin answered with an error, or was unreachable (`wasReset`). */
function mayServeInsteadOfError(
  statement: Statement,
  ageSeconds: number,
  request: Directives,
  { mode, wasReset }: { mode: CacheMode; wasReset: boolean },
): boolean {
  const { lifetimeSeconds, forbidsStale } = freshness(statement, mode);
  if (!isStorable(statement, mode) || forbidsStale) return false;
  const staleForSeconds = ageSeconds - lifetimeSeconds;
  if (staleForSeconds <= (seconds(statement.control, 'stale-if-error') ?? -1)) return true;
  const hasDemand = ['no-cache', 'max-age', 'min-fresh', 'max-stale'].some((name) => name in request);
  const hasLimit = ['stale-if-error', 's-maxage'].some((name) => name in statement.control);
  return wasReset && !hasDemand && !hasLimit && lifetimeSeconds > 0 && staleForSeconds <= 3_600;
}

async function compareWithModel(mode: CacheMode, scenario: readonly Step[]): Promise<void> {
  const clock = virtualClock();
  const versions: Record<string, number> = { '/plain': 1, '/varies': 1 };
  /** The version after the last unsafe request that succeeded. */
  const invalidatedBefore: Record<string, number> = { '/plain': 1, '/varies': 1 };
  const statements: Statement[] = [];
  let step = scenario[0] as Step;
  const origin = scriptedDispatcher((): Script => {
    const { path, method } = origin.sent.at(-1) as { path: string; method: string };
    const sent = origin.headersOf(origin.sent.length - 1);
    if (step.failure !== undefined) return step.failure === 'reset' ? { error: 'ECONNRESET' } : { status: 503 };
    if (method === 'POST') {
      versions[path] = (versions[path] as number) + 1;
      return { status: 204 };
    }
    const [version, plan, token] = [versions[path] as number, sent['x-plan'] as string, sent['authorization'] ?? ''];
    const control = parseDirectives(step.responseControl);
    const requestedNoStore = sent['cache-control']?.includes('no-store') === true;
    const { hasTag } = step;
    statements.push({ at: clock.now(), method, path, plan, token, version, hasTag, control, requestedNoStore });
    const etag = `"${version}-${path === '/varies' ? plan : ''}"`;
    const headers = {
      ...(hasTag && { etag }),
      'cache-control': step.responseControl,
      ...(path === '/varies' && { vary: 'x-plan' }),
    };
    if (hasTag && sent['if-none-match'] === etag) return { status: 304, headers };
    return { status: 200, headers, body: method === 'HEAD' ? [] : JSON.stringify({ version, plan, token }) };
  });
  await using client = cachingClient(clock, origin, { mode }, { random: seededRandom(1) });
  for (step of scenario) {
    const { afterSeconds, method, path, plan, token, changes } = step;
    await clock.advance(afterSeconds * 1_000);
    if (changes) versions[path] = (versions[path] as number) + 1;
    const request = parseDirectives(step.requestControl);
    const statementsBefore = statements.length;
    const headers = {
      'x-plan': plan,
      ...(token !== '' && { authorization: token }),
      ...(step.requestControl !== '' && { 'cache-control': step.requestControl }),
    };
    const response = await client.request(method, path, { headers }).catch((error: { code: string }) => {
      expect(error.code).toBe('MAC_HTTP_NETWORK');
      return undefined;
    });
    await clock.settle();
    if (method === 'POST') {
      if (response?.status === 204) invalidatedBefore[path] = versions[path] as number;
      continue;
    }
    const cacheStatus = response?.headers.get('cache-status') ?? '';
    const ageSecondsOf = ({ at }: Statement): number => (clock.now() - at) / 1_000;
    const isSelected = (one: Statement): boolean =>
      one.path === path && (path === '/plain' || one.plan === plan) && (mode === 'shared' || one.token === token);
    const selected = statements.slice(0, statementsBefore).filter((one) => isSelected(one) && !one.requestedNoStore);
    const last = selected.at(-1);
    // In a shared cache, requests with tokens decide what requests without one get. That part is not modelled here.
    const isModelled = mode === 'private' || (token === '' && selected.every((one) => one.token === ''));
    const isValid = last !== undefined && last.version >= (invalidatedBefore[path] as number);
    if (isValid && last.method === 'GET' && isModelled) {
      const isFresh = freshness(last, mode).lifetimeSeconds > ageSecondsOf(last);
      if (isFresh && mayServe(last, ageSecondsOf(last), request, mode)) {
        expect(cacheStatus, 'a fresh response is served without a request').toMatch(/^prices; hit; ttl=\d+$/);
      }
    }
    if (response?.status !== 200 || method === 'HEAD') continue;
    const data = response.data as { version: number; plan: string; token: string } | undefined;
    const body = data ?? (JSON.parse(response.text()) as { version: number; plan: string; token: string });
    if (path === '/varies') expect(body.plan).toBe(plan);
    if (mode === 'private') expect(body.token).toBe(token);
    const validFrom = invalidatedBefore[path] as number;
    expect(body.version, 'an invalidated response is never served').toBeGreaterThanOrEqual(validFrom);
    // `ttl` is in the status of what was served without an answer, or instead of one.
    if (!cacheStatus.includes('ttl=')) {
      expect(body.version, 'the origin sends its current version').toBe(versions[path]);
      continue;
    }
    const readable = selected.filter((one) => isSharedWith(token, one, mode));
    // A response to HEAD without an entity tag says nothing about the version.
    const isHeadWithoutTag = (one: Statement): boolean => one.method === 'HEAD' && !one.hasTag;
    const ofVersion = readable.filter((one) => one.version === body.version && !isHeadWithoutTag(one));
    const lastGet = ofVersion.findLast((one) => one.method === 'GET');
    // It updates the fields of a stored response without an entity tag, whose age goes on.
    const updates = lastGet?.hasTag === false ? readable.slice(readable.indexOf(lastGet)).filter(isHeadWithoutTag) : [];
    // A response to HEAD may freshen a stored response but stores none. In a shared cache, an older response may be the one
    // that is stored, because a newer one went to another token.
    const candidates = mode === 'shared' ? ofVersion : [ofVersion.at(-1), lastGet];
    const isAllowed = [...candidates, ...updates.map((head) => ({ ...head, at: lastGet?.at ?? 0 }))].some((one) => {
      if (one === undefined) return false;
      return cacheStatus.includes('fwd=stale')
        ? mayServeInsteadOfError(one, ageSecondsOf(one), request, { mode, wasReset: step.failure === 'reset' })
        : mayServe(one, ageSecondsOf(one), request, mode);
    });
    expect(isAllowed, `${cacheStatus}, ${JSON.stringify(candidates)}`).toBe(true);
  }
}

test.each<CacheMode>(['private', 'shared'])(
  'a %s cache serves what RFC 9111 allows, and whatever is fresh',
  async (mode) => {
    await fc.assert(
      fc.asyncProperty(steps, (scenario) => compareWithModel(mode, scenario)),
      { numRuns: Number(process.env['MODEL_RUNS'] ?? 200) },
    );
  },
);
