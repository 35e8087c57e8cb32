import { OptionsError } from '@macadam/core';
import type { Decision } from './decision.ts';
import type { CostOptions, RateLimiter } from './rate-limiter.ts';

/** One of the requests of {@link takeAll}. */
export interface Claim extends CostOptions {
  limiter: RateLimiter;
  key: string;
}

/** What {@link takeAll} decided. */
export interface Verdicts {
  readonly allowed: boolean;
  /** What each claim was answered, in order, up to the one that was denied. */
  readonly decisions: readonly Decision[];
  /** The one to tell the caller: the denial, or the grant that left the least. */
  readonly decision: Decision;
}

/**
 * Takes from several limiters, with a key each (a user, a tenant, everybody), or from none: what was taken before a denial
 * is given back. Limits of one key belong into one limiter instead, which asks all of them in one step.
 *
 * Put the limiter that denies most first. With a shared store each limiter is one round trip, and between a denial and the
 * refund others may be denied who would have been allowed. A limiter with a concurrency limit gives its permit back, not what
 * its other limits took: let it have that one limit.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) without claims, and what the limiters' `take` throws.
 * @example
 * ```ts
 * import { createRateLimiter, takeAll, tokenBucket } from '@macadam/ratelimit';
 *
 * const users = createRateLimiter({ name: 'users', limits: [tokenBucket({ limit: 5, periodMs: 1_000 })] });
 * const tenants = createRateLimiter({ name: 'tenants', limits: [tokenBucket({ limit: 50, periodMs: 1_000 })] });
 * const { allowed } = await takeAll([{ limiter: users, key: 'ann' }, { limiter: tenants, key: 'acme' }]);
 * ```
 */
export async function takeAll(claims: readonly Claim[]): Promise<Verdicts> {
  if (!Array.isArray(claims) || claims.length === 0) {
    throw new OptionsError('takeAll.claims', claims, 'a list of at least one claim');
  }
  const taken: { claim: Claim; decision: Decision }[] = [];
  const giveBack = async (): Promise<void> => {
    await Promise.all(
      taken
        .filter(({ decision }) => decision.granted > 0)
        .map(({ claim, decision }) =>
          decision.permit === undefined
            ? claim.limiter.refund(claim.key, { decision })
            : claim.limiter.release(claim.key, decision),
        ),
    );
  };
  let least: Decision | undefined;
  for (const claim of claims as readonly Claim[]) {
    const { limiter, key, cost = 1 } = claim;
    let decision: Decision;
    try {
      decision = await limiter.take(key, { cost });
    } catch (error) {
      await giveBack();
      throw error;
    }
    if (!decision.allowed) {
      await giveBack();
      return { allowed: false, decisions: [...taken.map((one) => one.decision), decision], decision };
    }
    taken.push({ claim, decision });
    if (least === undefined || decision.remaining < least.remaining) least = decision;
  }
  return { allowed: true, decisions: taken.map((one) => one.decision), decision: least as Decision };
}
