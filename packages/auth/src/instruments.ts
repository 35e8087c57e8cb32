/**
 * What this package tells a metrics collector. What verifies and what gets tokens counts with plain integers; the numbers
 * are read when a collector asks, so that counting costs a request nothing. Only what goes over the network is timed.
 */
import { PackageMetrics, SECONDS_BOUNDARIES, type StatsMetric, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';
import { DPOP_REASONS } from './dpop/errors.ts';
import { TOKEN_REASONS } from './errors.ts';
import type { KeySourceStats } from './jwt/key-source.ts';

type Kind = 'verifier' | 'dpop' | 'cache' | 'jwks' | 'token';
/** By the name of the statistic; outcomes by their word. Undefined where there is nothing to tell. */
type Stats = Readonly<Record<string, number | undefined>>;

const SCOPE = '@macadam/auth';
const NAME = 'macadam.auth.name';
const OUTCOME = 'macadam.outcome';
const PURPOSE = 'macadam.auth.purpose';
const DURATION = 'macadam.auth.fetch.duration';

/** What is fetched. */
export type FetchPurpose = 'jwks' | 'token' | 'introspection' | 'permissions';

const outcomes = (words: readonly string[]): [string, Readonly<Record<string, string>>][] =>
  words.map((word) => [word, { [OUTCOME]: word }]);
const asked = outcomes(['success', 'failure']);

const METRICS: readonly (StatsMetric<Stats> & { readonly of: Kind })[] = [
  {
    of: 'verifier',
    name: 'macadam.auth.tokens',
    kind: 'counter',
    unit: '{token}',
    description: 'Tokens that were verified, by what came of it',
    reads: outcomes(['accepted', ...TOKEN_REASONS]),
  },
  {
    of: 'dpop',
    name: 'macadam.auth.dpop.proofs',
    kind: 'counter',
    unit: '{proof}',
    description: 'Proofs of possession that were verified, by what came of it',
    reads: outcomes(['accepted', ...DPOP_REASONS]),
  },
  {
    of: 'cache',
    name: 'macadam.auth.cache.lookups',
    kind: 'counter',
    unit: '{lookup}',
    description: 'Look-ups of verified tokens',
    reads: [
      ['hits', { [OUTCOME]: 'hit' }],
      ['misses', { [OUTCOME]: 'miss' }],
    ],
  },
  {
    of: 'cache',
    name: 'macadam.auth.cache.entries',
    kind: 'gauge',
    unit: '{token}',
    description: 'Tokens remembered',
    reads: 'entries',
  },
  {
    of: 'jwks',
    name: 'macadam.auth.jwks.age',
    kind: 'gauge',
    unit: 's',
    description: "Time since the issuer's keys were asked for",
    reads: 'ageSeconds',
    merge: 'max',
  },
  {
    of: 'jwks',
    name: 'macadam.auth.jwks.fetches',
    kind: 'counter',
    unit: '{fetch}',
    description: "Fetches of the issuer's keys",
    reads: asked,
  },
  {
    of: 'jwks',
    name: 'macadam.auth.jwks.unknown_keys',
    kind: 'counter',
    unit: '{token}',
    description: 'Tokens that named a key the issuer does not have',
    reads: 'unknownKeys',
  },
  {
    of: 'token',
    name: 'macadam.auth.token.requests',
    kind: 'counter',
    unit: '{request}',
    description: 'Requests for a token',
    reads: asked,
  },
  {
    of: 'token',
    name: 'macadam.auth.token.expires_in',
    kind: 'gauge',
    unit: 's',
    description: 'How long the token in hand is good, the longest of a name',
    reads: 'expiresInSeconds',
    merge: 'max',
  },
  {
    of: 'token',
    name: 'macadam.auth.token.invalidations',
    kind: 'counter',
    unit: '{token}',
    description: 'Tokens that a server did not accept, by whether another was got',
    reads: outcomes(['replaced', 'kept']),
  },
  {
    of: 'token',
    name: 'macadam.auth.token.odd_lifetimes',
    kind: 'counter',
    unit: '{token}',
    description: 'Answers whose expires_in was missing, not a number, or out of every reason',
    reads: 'oddLifetimes',
  },
];

const counted = new PackageMetrics<Stats>({
  scope: SCOPE,
  provider: () => metrics.getMeterProvider(),
  noop: createNoopMeter(),
  nameAttribute: NAME,
  stats: METRICS,
  histograms: [
    {
      name: DURATION,
      kind: 'histogram',
      unit: 's',
      description: 'How long an issuer, or a server of permissions, took to answer',
      attributes: { [PURPOSE]: ['jwks', 'token', 'introspection', 'permissions'], [OUTCOME]: ['answered', 'failed'] },
      boundaries: SECONDS_BOUNDARIES,
    },
  ],
});

/** For the catalogue of the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: SCOPE,
  metrics: counted.descriptions,
  annotations: ['auth.method', 'auth.issuer', 'auth.principal', 'auth.key_id'],
  attributes: {
    [NAME]: {
      type: 'string',
      description: 'The `name` of the verifier or token client; of keys, the issuer or their address',
    },
    [OUTCOME]: { type: 'string', description: 'What came of it; of a refusal, the reason' },
    [PURPOSE]: { type: 'string', description: 'What was fetched' },
    'auth.method': {
      type: 'string',
      description: 'How the caller was recognised: `jwt`, `introspection`, `dpop`, `api_key` or `http_signature`',
    },
    'auth.issuer': { type: 'string', description: 'Whose word it was' },
    'auth.principal': { type: 'string', description: 'Who calls: the subject of the token, or the client' },
    'auth.key_id': { type: 'string', description: 'The key that signed, or the id of the API key' },
  },
};

/** Something that verifies tokens. */
interface VerifyingStats {
  readonly accepted: number;
  readonly refused: Readonly<Partial<Record<string, number>>>;
  readonly cache?: { readonly hits: number; readonly misses: number; readonly entries: number };
  readonly keys?: Readonly<Record<string, KeySourceStats>>;
}

/** Has a verifier read whenever a collector asks, for as long as it lives. */
export function observeVerifier(name: string, verifier: { stats(): VerifyingStats }): void {
  counted.observeAll(verifier, () => {
    const { accepted, refused, cache, keys = {} } = verifier.stats();
    return [
      { kind: 'verifier', name, stats: () => ({ accepted, ...refused }) },
      ...(cache === undefined ? [] : [{ kind: 'cache' as const, name, stats: () => ({ ...cache }) }]),
      // Keys that were given have no age, and are never fetched.
      ...Object.entries(keys).map(([issuer, { ageMs, fetches, fetchFailures, unknownKeys }]) => ({
        kind: 'jwks' as const,
        name: issuer,
        stats: () => ({
          ageSeconds: ageMs === undefined ? undefined : ageMs / 1_000,
          success: fetches - fetchFailures,
          failure: fetchFailures,
          unknownKeys,
        }),
      })),
    ];
  });
}

/** Has a verifier of proofs read whenever a collector asks, for as long as it lives. */
export function observeDpop(name: string, verifier: { stats(): Pick<VerifyingStats, 'accepted' | 'refused'> }): void {
  counted.observeAll(verifier, () => {
    const { accepted, refused } = verifier.stats();
    return [{ kind: 'dpop', name, stats: () => ({ accepted, ...refused }) }];
  });
}

/** What a token client counts, as far as it does. */
interface TokenStats {
  readonly requests: number;
  readonly failures: number;
  readonly expiresInMs?: number | undefined;
  readonly invalidations?: number;
  readonly invalidationsRefused?: number;
  readonly oddLifetimes?: number;
}

/** Has a token client read whenever a collector asks, for as long as it lives. */
export function observeTokens(name: string, client: { stats(): TokenStats }): void {
  counted.observeAll(client, () => {
    const { requests, failures, expiresInMs, invalidations, invalidationsRefused, oddLifetimes } = client.stats();
    const stats = {
      success: requests - failures,
      failure: failures,
      expiresInSeconds: expiresInMs === undefined ? undefined : expiresInMs / 1_000,
      replaced: invalidations,
      kept: invalidationsRefused,
      oddLifetimes,
    };
    return [{ kind: 'token', name, stats: () => stats }];
  });
}

/** Notes how long a server took. */
export function recordFetch(purpose: FetchPurpose, durationMs: number, answered: boolean): void {
  const attributes = { [PURPOSE]: purpose, [OUTCOME]: answered ? 'answered' : 'failed' };
  counted.histogram(DURATION)?.record(durationMs / 1_000, attributes);
}
