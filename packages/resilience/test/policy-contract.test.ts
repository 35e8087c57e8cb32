import { policyContract, type PolicyContractTools } from '@macadam/testkit';
import { describe, it } from 'vitest';
import {
  adaptiveConcurrency,
  bulkhead,
  circuitBreaker,
  fallback,
  hedge,
  paced,
  pipeline,
  retry,
  standardPipeline,
  timeout,
  type Policy,
} from '@macadam/resilience';

const policies: Readonly<Record<string, (tools: PolicyContractTools) => Policy>> = {
  retry: ({ clock, random }) => retry({ clock, random }),
  'retry of one attempt': ({ clock, random }) => retry({ maxAttempts: 1, clock, random }),
  timeout: ({ clock }) => timeout({ timeoutMs: 1_000, clock }),
  circuitBreaker: ({ clock, random }) => circuitBreaker({ clock, random }),
  bulkhead: ({ clock }) => bulkhead({ maxConcurrent: 100, clock }),
  'bulkhead with a queue': ({ clock }) => bulkhead({ maxConcurrent: 2, maxQueued: 100, clock }),
  hedge: ({ clock }) => hedge({ delayMs: 50, clock }),
  adaptiveConcurrency: ({ clock }) => adaptiveConcurrency({ clock }),
  paced: ({ clock }) => paced({ pacer: { acquire: async () => ({ settle() {} }) }, clock }),
  'fallback that replaces nothing': ({ clock }) => fallback({ value: 0, fallbackIf: () => false, clock }),
  'a pipeline of all': ({ clock, random }) =>
    pipeline(
      fallback({ value: 0, fallbackIf: () => false, clock }),
      bulkhead({ clock }),
      timeout({ timeoutMs: 10_000, clock }),
      retry({ clock, random }),
      hedge({ delayMs: 50, clock }),
      circuitBreaker({ clock, random }),
      adaptiveConcurrency({ clock }),
      timeout({ timeoutMs: 1_000, clock }),
    ),
  standardPipeline: ({ clock, random }) => standardPipeline({ clock, random }),
};

for (const [name, make] of Object.entries(policies)) {
  describe(`${name} keeps the policy contract`, () => {
    for (const { name: promise, run } of policyContract(make)) it(promise, run);
  });
}
