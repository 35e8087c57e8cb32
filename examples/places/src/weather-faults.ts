// What each kind of weather is on the wire, as rules for the fault server.
import { type Fault, type FaultRule, hang, resetBeforeHeaders, respond, seededRandom, slow } from '@macadam/testkit';
import type { Weather } from './script.ts';

/** The share of requests that a fault strikes, 0 to 1. */
interface Strike {
  share: number;
  fault: Fault;
}

const strikes: Record<Weather, readonly Strike[]> = {
  healthy: [],
  slow: [{ share: 0.05, fault: slow(2_000) }],
  storm: [
    // Whole seconds for clients that know no better, and the precise wait beside it, as Azure and OpenAI send it.
    { share: 0.12, fault: respond(503, { retryAfter: 1, headers: { 'retry-after-ms': '50' } }) },
    { share: 0.03, fault: resetBeforeHeaders() },
  ],
  resets: [{ share: 1, fault: resetBeforeHeaders() }],
  // Requests are read, so that they can be counted, and that is all that ever happens to them.
  blackHole: [{ share: 1, fault: hang() }],
};

export const weathers = Object.keys(strikes) as readonly Weather[];

/**
 * The rules for a kind of weather. The seed and the weather alone decide which of its requests are struck: the first
 * hundred requests of a storm fare the same whoever sends them.
 */
export function faultRules(weather: Weather, seed: number): FaultRule[] {
  const random = seededRandom(seed).fork(weather);
  let lot = 0;
  return strikes[weather].map(({ share, fault }, at) => {
    const from = strikes[weather].slice(0, at).reduce((sum, strike) => sum + strike.share, 0);
    return {
      fault,
      // One lot is drawn for each request, by the first rule, so that no request is struck twice.
      when: () => {
        if (at === 0) lot = random();
        return lot >= from && lot < from + share;
      },
    };
  });
}
