// The same lookup on Macadam. The client does the hard part; what is left is to say how long our callers may wait.
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
    // The gazetteer answers in a few milliseconds, or something is wrong: ask again early, and leave time to do so.
    timeoutMs,
    attemptTimeoutMs: 300,
    // After a 503 the wait starts from a second by default, which is all our callers have. Retry-After is kept anyway.
    retry: { maxAttempts: 4, throttledBaseMs: 50 },
    circuitBreaker: {
      // Ten in a row, not five: at our rate five can be one short hiccup in bad weather, and ten still take no time.
      trip: [failureRate(), consecutiveFailures({ count: 10 })],
      // Short, since probes cost next to nothing, and until they succeed we fail although the gazetteer may be well.
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
          throw new LookupError(503, 'The gazetteer is known to be down.', error);
        }
        if (isMacadamError(error, 'MAC_TIMEOUT')) throw new LookupError(504, 'The gazetteer takes too long.', error);
        throw new LookupError(502, 'The gazetteer cannot be reached.', error);
      }
    },
    activity: () => ({ timeoutMs, attempts: gazetteer.stats().attempts, ...counts, transitions }),
    close: () => gazetteer.close(),
  };
}
