import { OptionsError } from '@macadam/core';
import { assertCallOptions } from './call-options.ts';
import type { Decision } from './decision.ts';
import type { CostOptions, RateLimiter } from './rate-limiter.ts';
import { StoreRateLimiter } from './store-rate-limiter.ts';

/** One of the requests of {@link takeAll}. */
export interface Claim extends CostOptions {
  /** The limiter to take from, of `createRateLimiter`. */
  limiter: RateLimiter;
  /** The key in that limiter. */
  key: string;
}

/** What {@link takeAll} decided. */
export interface TakeAllResult {
  /** Whether all claims are allowed. If not, none was taken. */
  readonly allowed: boolean;
  /** The decision for each claim, in order. Where they are asked one by one, up to the first denial. */
  readonly decisions: readonly Decision[];
  /** The decision to report to the caller: the denial with the longest wait, or the grant that left the least. */
  readonly decision: Decision;
  /** Whether all claims were decided in one step that no other request can observe halfway. */
  readonly atomic: boolean;
}

/**
 * Takes from several limiters, with a key each (a user, a tenant, everybody), or from none of them. Put limits of the
 * same key into one limiter instead.
 *
 * Limiters in memory are asked in one step, and so are those on one Redis client, in one round trip, except on a
 * cluster when the keys differ. Others are asked one by one, in order, and what was taken before a denial is given
 * back: put the limiter that denies most first. Until then others may be denied who would have been allowed, and a
 * limiter with a concurrency limit gives back its permit only.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) without claims, and what the limiters' `take` throws.
 * @example
 * ```ts
 * import { createRateLimiter, takeAll, tokenBucket } from '@macadam/ratelimit';
 *
 * const users = createRateLimiter({ name: 'users', limits: [tokenBucket({ limit: 5, periodMs: 1_000 })] });
 * const tenants = createRateLimiter({ name: 'tenants', limits: [tokenBucket({ limit: 50, periodMs: 1_000 })] });
 * const { allowed } = await takeAll([
 *   { limiter: users, key: 'ann' },
 *   { limiter: tenants, key: 'acme' },
 * ]);
 * ```
 */
export async function takeAll(claims: readonly Claim[]): Promise<TakeAllResult> {
  if (!Array.isArray(claims) || claims.length === 0) {
    throw new OptionsError('takeAll.claims', claims, 'a list of at least one claim');
  }
  const all = claims as readonly Claim[];
  all.forEach((claim, i) => {
    assertCallOptions(`takeAll.claims[${i}]`, claim, ['limiter', 'key', 'cost']);
    if (typeof claim.limiter?.take === 'function') return;
    throw new OptionsError(`takeAll.claims[${i}].limiter`, claim.limiter, 'a limiter of createRateLimiter');
  });
  return (await takeTogether(all)) ?? (await takeInOrder(all));
}

/** Takes for all claims in one step; undefined when their limiters do not share a store that can do so. */
async function takeTogether(claims: readonly Claim[]): Promise<TakeAllResult | undefined> {
  const limiters = claims.map(({ limiter }) => limiter);
  if (!limiters.every((limiter) => limiter instanceof StoreRateLimiter)) return undefined;
  const requests = claims.map((claim, i) => (limiters[i] as StoreRateLimiter).requestFor(claim.key, claim.cost));
  const decisions = await requests[0]?.table.takeTogether?.(requests);
  if (decisions === undefined) return undefined;
  const allowed = decisions.every((decision) => decision.allowed);
  decisions.forEach((decision, i) => (limiters[i] as StoreRateLimiter).recordTakeAll(decision, allowed));
  return { allowed, decisions, decision: mostRestrictive(decisions), atomic: true };
}

/** Takes for one claim after the other, and gives back what was taken when one is denied. */
async function takeInOrder(claims: readonly Claim[]): Promise<TakeAllResult> {
  const taken: { claim: Claim; decision: Decision }[] = [];
  for (const claim of claims) {
    const { limiter, key, cost = 1 } = claim;
    const decision = await limiter.take(key, { cost }).catch(async (error: unknown) => {
      await giveBack(taken);
      throw error;
    });
    if (!decision.allowed) {
      await giveBack(taken);
      const decisions = [...taken.map((one) => one.decision), decision];
      return { allowed: false, decisions, decision, atomic: false };
    }
    taken.push({ claim, decision });
  }
  const decisions = taken.map((one) => one.decision);
  return { allowed: true, decisions, decision: mostRestrictive(decisions), atomic: false };
}

async function giveBack(taken: readonly { claim: Claim; decision: Decision }[]): Promise<void> {
  const refunds = taken
    .filter(({ decision }) => decision.granted > 0)
    .map(async ({ claim: { limiter, key }, decision }) => {
      if (decision.permit !== undefined) await limiter.release(key, decision);
      else if (!hasPermitLimit(decision)) await limiter.refund(key, { decision });
    });
  await Promise.all(refunds);
}

/** Refunds are not for limiters with a concurrency limit, even where it granted no permit, since it was not enforced. */
function hasPermitLimit(decision: Decision): boolean {
  return (decision.policies ?? [decision]).some(({ periodMs }) => periodMs === 0);
}

/** The denial with the longest wait, else the grant that left the least. */
function mostRestrictive(decisions: readonly Decision[]): Decision {
  return decisions.reduce((a, b) => {
    if (a.allowed !== b.allowed) return a.allowed ? b : a;
    if (a.allowed) return b.remaining < a.remaining ? b : a;
    return b.retryAfterMs > a.retryAfterMs ? b : a;
  });
}
