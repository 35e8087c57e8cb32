// The faults of each condition of the upstream, as rules for the fault server.
import { type Fault, type FaultRule, hang, resetBeforeHeaders, respond, seededRandom, slow } from '@macadam/testkit';
import type { Condition } from './scenario.ts';

interface FaultShare {
  /** The share of requests with the fault, 0 to 1. */
  share: number;
  fault: Fault;
}

const faultShares: Record<Condition, readonly FaultShare[]> = {
  healthy: [],
  slow: [{ share: 0.05, fault: slow(2_000) }],
  storm: [
    // Retry-After has whole seconds only. Azure and OpenAI send the precise wait in retry-after-ms as well.
    { share: 0.12, fault: respond(503, { retryAfter: 1, headers: { 'retry-after-ms': '50' } }) },
    { share: 0.03, fault: resetBeforeHeaders() },
  ],
  resets: [{ share: 1, fault: resetBeforeHeaders() }],
  // Requests are read and counted, and get no response.
  blackHole: [{ share: 1, fault: hang() }],
};

export const conditions = Object.keys(faultShares) as readonly Condition[];

/**
 * The fault rules of a condition. Only the seed and the condition decide which requests get a fault, so that the first hundred
 * requests of a storm get the same faults from every variant of the service.
 */
export function faultRules(condition: Condition, seed: number): FaultRule[] {
  const random = seededRandom(seed).fork(condition);
  let drawn = 0;
  return faultShares[condition].map(({ share, fault }, index) => {
    const from = faultShares[condition].slice(0, index).reduce((sum, previous) => sum + previous.share, 0);
    return {
      fault,
      // The first rule draws one number per request for all rules, so that a request gets at most one fault.
      when: () => {
        if (index === 0) drawn = random();
        return drawn >= from && drawn < from + share;
      },
    };
  });
}
