// Invariants of a token client under any sequence of outages, rejections and waits. In virtual time.
import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { stageTokens } from './token-endpoint.ts';

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance'), ms: fc.integer({ min: 1, max: 400_000 }) }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('advance'), ms: fc.integer({ min: 1, max: 3_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('near its end'), ms: fc.integer({ min: 0, max: 15_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('hammer'), ms: fc.constant(0) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('get'), ms: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('refused by the API'), ms: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('up', 'down', 'hung'), ms: fc.constant(0) }) },
);

it('sends one token request at a time and not too often, and never returns a token that expired or was rejected', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 60 }),
      fc.constantFrom(15, 60, 600, 3_600),
      fc.integer(),
      async (steps, lifetime, seed) => {
        const { clock, endpoint, tokens } = stageTokens({ random: seededRandom(seed) });
        const endsAt = new Map<string, number>();
        const refused = new Set<string>();
        const waiting: Promise<unknown>[] = [];
        let state = 'up';
        let inFlight = 0;
        let most = 0;
        endpoint.respond = async () => {
          most = Math.max(most, ++inFlight);
          const askedAt = clock.monotonic();
          try {
            if (state === 'hung') await clock.sleep(5_000);
            if (state !== 'up') return new Response('down', { status: 503 });
            const response = endpoint.plain({ expires_in: lifetime });
            endsAt.set(`token-${endpoint.calls}`, askedAt + lifetime * 1_000);
            return response;
          } finally {
            inFlight--;
          }
        };
        const given = (token: string): void => {
          expect(refused.has(token), `${token} was refused`).toBe(false);
          const left = endsAt.get(token)! - clock.monotonic();
          expect(left, token).toBeGreaterThan(Math.min(10_000, (lifetime * 1_000) / 4) - 1);
        };
        const get = async (): Promise<void> => {
          const now = tokens.peekToken();
          if (now !== undefined) given(now);
          // A waiting caller gets the token that was just granted, however long that took.
          waiting.push(tokens.getToken().catch(() => {}));
          await clock.settle();
        };
        for (const { kind, ms } of steps) {
          if (kind === 'advance') await clock.advance(ms);
          else if (kind === 'up' || kind === 'down' || kind === 'hung') state = kind;
          else if (kind === 'get') await get();
          else if (kind === 'near its end') {
            const left = tokens.stats().expiresInMs ?? 0;
            if (left > ms) await clock.advance(left - ms);
            await get();
          } else if (kind === 'hammer') {
            // The first backoff is a second, half of it fixed, so at least half a second lies between two failures.
            const { failures } = tokens.stats();
            for (let n = 0; n < 20; n++) {
              await clock.advance(50);
              await get();
            }
            expect(tokens.stats().failures - failures).toBeLessThanOrEqual(3);
          } else {
            const token = tokens.peekToken();
            if (token === undefined) continue;
            const { invalidations } = tokens.stats();
            tokens.invalidate(token);
            if (tokens.stats().invalidations > invalidations) refused.add(token);
          }
        }
        await clock.advance(120_000);
        await Promise.all(waiting);
        expect(most).toBeLessThanOrEqual(1);
        // One for each token that expired or was rejected.
        const { failures, requests, invalidations } = tokens.stats();
        const seconds = clock.monotonic() / 1_000;
        expect(requests - failures).toBeLessThanOrEqual(2 + invalidations + seconds / (lifetime * 0.3));
      },
    ),
    { numRuns: 60 },
  );
});
