// The same lookup on Macadam. The client does the hard part; what is left is to say how long our callers may wait.
import { isMacadamError } from '@macadam/core';
import { createHttpClient, HttpError } from '@macadam/http';
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
    retry: { maxAttempts: 4, throttledBaseMs: 100 },
    // Short, since a probe costs next to nothing and every wait for one is a time in which we fail for no reason.
    circuitBreaker: {
      openMs: 250,
      maxOpenMs: 500,
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
