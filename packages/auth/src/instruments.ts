/**
 * The metrics of this package. Verifiers and token clients count with plain integers, which are read when a collector
 * collects, so that counting costs a request nothing. Only network requests are timed.
 */
import { PackageMetrics, SECONDS_BOUNDARIES, type StatsMetric, type TelemetryDescription } from '@macadam/core';
import { createNoopMeter, metrics } from '@opentelemetry/api';
import { DPOP_REASONS } from './dpop/errors.ts';
import { TOKEN_REASONS } from './errors.ts';
import type { KeySourceStats } from './jwt/key-source.ts';

type Kind = 'verifier' | 'dpop' | 'cache' | 'jwks' | 'token';
/** Values by the name of the statistic or outcome. Undefined when there is no value. */
type Stats = Readonly<Record<string, number | undefined>>;

const SCOPE = '@macadam/auth';
const NAME = 'macadam.auth.name';
const OUTCOME = 'macadam.outcome';
const PURPOSE = 'macadam.auth.purpose';
const DURATION = 'macadam.auth.fetch.duration';

/** What a request was sent for. */
export type FetchPurpose = 'jwks' | 'token' | 'introspection' | 'permissions';

const outcomes = (words: readonly string[]): [string, Readonly<Record<string, string>>][] =>
  words.map((word) => [word, { [OUTCOME]: word }]);
const fetchOutcomes = outcomes(['success', 'failure']);

const METRICS: readonly (StatsMetric<Stats> & { readonly of: Kind })[] = [
  {
    of: 'verifier',
    name: 'macadam.auth.tokens',
    kind: 'counter',
    unit: '{token}',
    description: 'Verified tokens, by outcome',
    reads: outcomes(['accepted', ...TOKEN_REASONS]),
  },
  {
    of: 'dpop',
    name: 'macadam.auth.dpop.proofs',
    kind: 'counter',
    unit: '{proof}',
    description: 'Verified DPoP proofs, by outcome',
    reads: outcomes(['accepted', ...DPOP_REASONS]),
  },
  {
    of: 'cache',
    name: 'macadam.auth.cache.lookups',
    kind: 'counter',
    unit: '{lookup}',
    description: 'Lookups in the cache of verified tokens',
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
    description: 'Tokens in the cache',
    reads: 'entries',
  },
  {
    of: 'jwks',
    name: 'macadam.auth.jwks.age',
    kind: 'gauge',
    unit: 's',
    description: "Age of the issuer's key set",
    reads: 'ageSeconds',
    merge: 'max',
  },
  {
    of: 'jwks',
    name: 'macadam.auth.jwks.fetches',
    kind: 'counter',
    unit: '{fetch}',
    description: "Fetches of the issuer's keys",
    reads: fetchOutcomes,
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
    reads: fetchOutcomes,
  },
  {
    of: 'token',
    name: 'macadam.auth.token.expires_in',
    kind: 'gauge',
    unit: 's',
    description: 'Remaining lifetime of the current token, the longest of a name',
    reads: 'expiresInSeconds',
    merge: 'max',
  },
  {
    of: 'token',
    name: 'macadam.auth.token.invalidations',
    kind: 'counter',
    unit: '{token}',
    description: 'Tokens that a server rejected, by whether they were replaced',
    reads: outcomes(['replaced', 'kept']),
  },
  {
    of: 'token',
    name: 'macadam.auth.token.odd_lifetimes',
    kind: 'counter',
    unit: '{token}',
    description: 'Token responses whose expires_in was missing, not a number, or out of range',
    reads: 'oddLifetimes',
  },
];

const packageMetrics = new PackageMetrics<Stats>({
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
      description: 'Time until an issuer or a permission server responded',
      attributes: { [PURPOSE]: ['jwks', 'token', 'introspection', 'permissions'], [OUTCOME]: ['answered', 'failed'] },
      boundaries: SECONDS_BOUNDARIES,
    },
  ],
});

/** For the telemetry catalogue in the documentation. */
export const TELEMETRY: TelemetryDescription = {
  scope: SCOPE,
  metrics: packageMetrics.descriptions,
  annotations: ['auth.method', 'auth.issuer', 'auth.principal', 'auth.key_id'],
  attributes: {
    [NAME]: {
      type: 'string',
      description: 'The `name` of the verifier or token client; of keys, the issuer or the URL of the key set',
    },
    [OUTCOME]: { type: 'string', description: 'The result; for a rejection, its reason' },
    [PURPOSE]: { type: 'string', description: 'What was requested' },
    'auth.method': {
      type: 'string',
      description: 'How the caller was authenticated: `jwt`, `introspection`, `dpop`, `api_key` or `http_signature`',
    },
    'auth.issuer': { type: 'string', description: 'The issuer of the token' },
    'auth.principal': { type: 'string', description: 'The caller: the subject of the token, or the client' },
    'auth.key_id': { type: 'string', description: 'The key that signed, or the id of the API key' },
  },
};

/** The counts of a verifier. */
interface VerifyingStats {
  readonly accepted: number;
  readonly refused: Readonly<Partial<Record<string, number>>>;
  readonly cache?: { readonly hits: number; readonly misses: number; readonly entries: number };
  readonly keys?: Readonly<Record<string, KeySourceStats>>;
}

/** Exports the counts of a verifier as metrics, for as long as it exists. */
export function observeVerifier(name: string, verifier: { stats(): VerifyingStats }): void {
  packageMetrics.observeAll(verifier, () => {
    const { accepted, refused, cache, keys = {} } = verifier.stats();
    return [
      { kind: 'verifier', name, stats: () => ({ accepted, ...refused }) },
      ...(cache === undefined ? [] : [{ kind: 'cache' as const, name, stats: () => ({ ...cache }) }]),
      // Given keys have no age and are never fetched: their values are undefined or 0.
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

/** Exports the counts of a DPoP verifier as metrics, for as long as it exists. */
export function observeDpop(name: string, verifier: { stats(): Pick<VerifyingStats, 'accepted' | 'refused'> }): void {
  packageMetrics.observeAll(verifier, () => {
    const { accepted, refused } = verifier.stats();
    return [{ kind: 'dpop', name, stats: () => ({ accepted, ...refused }) }];
  });
}

/** The counts of a token client; optional ones are not counted by all kinds. */
interface TokenStats {
  readonly requests: number;
  readonly failures: number;
  readonly expiresInMs?: number | undefined;
  readonly invalidations?: number;
  readonly invalidationsRefused?: number;
  readonly oddLifetimes?: number;
}

/** Exports the counts of a token client as metrics, for as long as it exists. */
export function observeTokens(name: string, client: { stats(): TokenStats }): void {
  packageMetrics.observeAll(client, () => {
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

/** Records the duration of a request. */
export function recordFetch(purpose: FetchPurpose, durationMs: number, answered: boolean): void {
  const attributes = { [PURPOSE]: purpose, [OUTCOME]: answered ? 'answered' : 'failed' };
  packageMetrics.histogram(DURATION)?.record(durationMs / 1_000, attributes);
}
