// The same lookup with Macadam. The client retries, limits time and breaks circuits; this file sets the limits.
import { isMacadamError } from '@macadam/core';
import { createHttpClient, HttpError } from '@macadam/http';
import { consecutiveFailures, failureRate } from '@macadam/resilience';
import { type Lookup, LookupError, type Transition } from './lookup.ts';
import type { Place } from './place.ts';

const timeoutMs = 1_000;

export function macadamLookup(gazetteerUrl: string): Lookup {
  const transitions: Transition[] = [];
  const counts = { retries: 0, budgetRefusals: 0, circuitRefusals: 0 };

  const gazetteer = createHttpClient({
    name: 'gazetteer',
    baseUrl: gazetteerUrl,
    // The gazetteer normally answers in a few milliseconds. A short attempt timeout leaves time for retries.
    timeoutMs,
    attemptTimeoutMs: 300,
    // By default the backoff after a 503 starts at 1 s, which is the whole time limit here. Retry-After is obeyed in any case.
    retry: { maxAttempts: 4, throttledBaseMs: 50 },
    circuitBreaker: {
      // Ten failures in a row instead of five: at our request rate, five can be one short disturbance.
      trip: [failureRate(), consecutiveFailures({ count: 10 })],
      // Short, because probes are cheap and every call fails until one succeeds, even if the gazetteer works again.
      openMs: 250,
      maxOpenMs: 250,
      onStateChange: ({ from, to }) => transitions.push({ atMs: Date.now(), from, to }),
    },
  });

  return {
    async find(name) {
      try {
        const { data, attempts } = await gazetteer.get('/places/{name}', { params: { name } });
        counts.retries += attempts.length - 1;
        return (data as { places: Place[] }).places;
      } catch (error) {
        if (error instanceof HttpError) {
          counts.retries += error.attempts.length - 1;
          if (error.gaveUp === 'budget') counts.budgetRefusals += 1;
        }
        if (isMacadamError(error, 'MAC_CIRCUIT_OPEN')) {
          counts.circuitRefusals += 1;
          throw new LookupError(503, 'The gazetteer is down.', error);
        }
        if (isMacadamError(error, 'MAC_TIMEOUT')) throw new LookupError(504, 'The gazetteer takes too long.', error);
        throw new LookupError(502, 'The gazetteer cannot be reached.', error);
      }
    },
    activity: () => ({ timeoutMs, attempts: gazetteer.stats().attempts, ...counts, transitions }),
    close: () => gazetteer.close(),
  };
}
