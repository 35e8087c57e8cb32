import type { Operation } from './operation.ts';
import { auth } from './operations/auth.ts';
import { cache } from './operations/cache.ts';
import { http } from './operations/http.ts';
import { ratelimit } from './operations/ratelimit.ts';
import { resilience } from './operations/resilience.ts';
import { telemetry } from './operations/telemetry.ts';

/** By suite and contender, with their names in the harness. */
export const operations: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  ...{ http, resilience, cache, ratelimit, telemetry, auth },
};
