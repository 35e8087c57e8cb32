import { OptionsError } from '@macadam/core';
import { definePolicy, layerOf, needsContext, type Layer } from './define-policy.ts';
import type { Policy, PolicyKind, PolicyStats } from './policy.ts';

/** Several policies composed into one, made by `pipeline()` and `standardPipeline()`. */
export interface Pipeline extends Policy {
  /** The policies, outermost first. */
  readonly policies: readonly Policy[];
}

/** The position of each kind, outermost first, and the reason in the error for a policy in the wrong position. */
const ORDER: ReadonlyMap<PolicyKind, { readonly place: number; readonly why: string }> = new Map([
  ['fallback', { place: 0, why: 'a fallback replaces every failure of the policies inside it' }],
  ['bulkhead', { place: 1, why: 'a bulkhead counts calls, and inside a retry it would count attempts' }],
  ['retry', { place: 3, why: 'a retry must see each rejection and timeout of a single attempt' }],
  ['hedge', { place: 4, why: 'a hedge starts attempts, each of which needs the policies inside it' }],
  ['paced', { place: 4.2, why: 'the wait for a turn must not count as time of the attempt' }],
  ['routed', { place: 4.5, why: 'each attempt of a retry or a hedge has a route of its own' }],
  [
    'circuitBreaker',
    { place: 5, why: 'a circuit breaker counts each attempt; outside a retry it would see one outcome of three' },
  ],
  ['adaptiveConcurrency', { place: 6, why: 'adaptive concurrency measures attempts that the breaker admitted' }],
]);
const CALL_TIMEOUT = 2;
const ATTEMPT_TIMEOUT = 7;

type Role = 'attempt' | 'call';

/** A timeout limits the whole call, unless a retry or another timeout is outside it: then it limits each attempt. */
function rolesOf(layers: readonly Layer[]): readonly Role[] {
  let role: Role = 'call';
  return layers.map(({ repeats, limitMs }) => {
    const ownRole = role;
    if (repeats || limitMs !== undefined) role = 'attempt';
    return ownRole;
  });
}

function assertOneClock(layers: readonly Layer[]): void {
  const first = layers[0]?.clock;
  const other = layers.findIndex((layer) => layer.clock !== first);
  if (other < 0) return;
  throw new OptionsError(
    `pipeline[${other}].clock`,
    layers[other]?.clock,
    'the clock of the other policies of the pipeline',
  );
}

function placeOf(policy: Policy, role: Role): number {
  if (policy.kind === 'timeout') return role === 'call' ? CALL_TIMEOUT : ATTEMPT_TIMEOUT;
  return ORDER.get(policy.kind)?.place ?? Infinity;
}

function assertOrder(policies: readonly Policy[], roles: readonly Role[]): void {
  for (let i = 1; i < policies.length; i++) {
    const policy = policies[i] as Policy;
    const outer = policies[i - 1] as Policy;
    const path = `pipeline[${i}]`;
    if (policy.kind === 'pipeline' || outer.kind === 'pipeline') continue;
    if (policy.kind === outer.kind) {
      const advice = policy.kind === 'timeout' ? 'apart from another timeout, with a retry between them' : 'given once';
      throw new OptionsError(path, policy.kind, advice);
    }
    if (placeOf(policy, roles[i] as Role) >= placeOf(outer, roles[i - 1] as Role)) continue;
    const why = ORDER.get(policy.kind)?.why ?? 'it limits the whole call';
    throw new OptionsError(path, policy.kind, `outside of ${outer.kind} (before it): ${why}`);
  }
}

/**
 * Composes policies into one, outermost first: `pipeline(timeout(…), retry(…), circuitBreaker(…), timeout(…))`. A timeout outside the
 * retry limits the whole call, one inside limits each attempt.
 *
 * The order must be fallback, bulkhead, timeout, retry, hedge, paced, routed, circuit breaker, adaptive concurrency, timeout; each of
 * them is optional. All policies must have the same clock.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for policies in another order, given twice, or with different clocks.
 * @example
 * ```ts
 * import { circuitBreaker, pipeline, retry, timeout } from '@macadam/resilience';
 *
 * const guarded = pipeline(timeout({ timeoutMs: 2_000 }), retry(), circuitBreaker({ name: 'db' }), timeout({ timeoutMs: 500 }));
 * const rows = await guarded.execute(async ({ attempt }) => [`a row, found by attempt ${attempt}`]);
 * ```
 */
export function pipeline(...policies: readonly Policy[]): Pipeline {
  if (policies.length === 0) throw new OptionsError('pipeline', policies, 'one policy at least');
  const layers = policies.map((policy, i) => {
    const layer = typeof policy === 'object' && policy !== null ? layerOf(policy) : undefined;
    if (layer === undefined) throw new OptionsError(`pipeline[${i}]`, policy, 'a policy made by this package');
    return layer;
  });
  const roles = rolesOf(layers);
  assertOneClock(layers);
  assertOrder(policies, roles);
  const limit = layers.find((layer, i) => layer.limitMs !== undefined && roles[i] === 'call')?.limitMs;
  const layer: Layer = {
    clock: (layers[0] as Layer).clock,
    defers: layers.some((one) => one.defers),
    keepsContext: !layers.some(needsContext),
    repeats: layers.some((one) => one.repeats),
    ownsRetries: layers.some((one) => one.ownsRetries === true),
    ...(limit !== undefined && { limitMs: limit }),
    around: (inner, role) =>
      layers.reduceRight((stage, one, i) => one.around(stage, role === 'attempt' ? role : (roles[i] as Role)), inner),
  };
  return definePolicy('pipeline', layer, {
    policies,
    describe: () => policies.map((policy, i) => `${i + 1}. ${policy.describe()}`).join('\n'),
    stats: () => statsOf(policies, roles),
  });
}

function statsOf(policies: readonly Policy[], roles: readonly Role[]): PolicyStats {
  const stats: Record<string, PolicyStats> = {};
  for (const [i, policy] of policies.entries()) {
    const name = policy.kind === 'timeout' && roles[i] === 'attempt' ? 'attemptTimeout' : policy.kind;
    let unique: string = name;
    for (let number = 2; unique in stats; number++) unique = `${name}${number}`;
    stats[unique] = policy.stats();
  }
  return stats;
}
