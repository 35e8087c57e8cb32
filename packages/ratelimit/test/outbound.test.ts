import { createServer, type Server } from 'node:http';
import { createHttpClient, type HttpPacing } from '@macadam/http';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { createOutboundLimiter, createRateLimiter, rateLimitHeaders, tokenBucket } from '../src/index.ts';
import { passTime } from './passing-time.ts';

const PER_SECOND = 100;
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

/** A server with a token bucket: it refuses what comes beyond its limit, with or without a word about it. */
async function startServer(tells: 'everything' | 'nothing' | 'retryAfter', clock: VirtualClock) {
  const limiter = createRateLimiter({
    name: 'server',
    limits: [tokenBucket({ limit: PER_SECOND, periodMs: 1_000, burst: 20 })],
    clock,
  });
  const answers: { at: number; status: number }[] = [];
  const server = createServer((_, response) => {
    const decision = limiter.tryTake('one client');
    const headers = rateLimitHeaders(decision);
    if (tells === 'everything') response.setHeaders(new Map(Object.entries(headers)));
    if (tells === 'retryAfter' && !decision.allowed) response.setHeader('retry-after', '1');
    response.statusCode = decision.allowed ? 200 : 429;
    answers.push({ at: clock.monotonic(), status: response.statusCode });
    response.end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  servers.push(server);
  return { answers, baseUrl: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
}

/** Twenty callers who each call again as soon as they are answered, for `durationMs`. */
async function callFor(durationMs: number, baseUrl: string, clock: VirtualClock, pacing?: HttpPacing) {
  const options = { baseUrl, retry: false, throwOnStatus: false, clock } as const;
  const client = createHttpClient({ ...options, ...(pacing && { pacing }) });
  const until = clock.monotonic() + durationMs;
  const caller = async (): Promise<void> => {
    while (clock.monotonic() < until) {
      // What would wait beyond the end does not matter any more.
      const { status } = await client.get('/', { timeoutMs: 5_000 });
      if (status === 429 && pacing === undefined) await clock.sleep(10);
    }
  };
  await Promise.all(Array.from({ length: 20 }, caller));
  await client.close();
}

async function untilDone(clock: VirtualClock, runs: readonly Promise<void>[]): Promise<void> {
  let done = false;
  const all = Promise.all(runs).finally(() => void (done = true));
  await passTime(clock, () => done);
  await all;
}

/** From a second after the first refusal on: the share of refusals, and of the limit that was used. */
function settled(answers: readonly { at: number; status: number }[]) {
  const first = answers.find(({ status }) => status === 429)?.at ?? (answers[0]?.at as number);
  const after = answers.filter(({ at }) => at > first + 1_000);
  const lastedMs = (after.at(-1)?.at ?? 0) - (first + 1_000);
  const served = after.filter(({ status }) => status === 200).length;
  return { refused: 1 - served / after.length, used: served / ((lastedMs / 1_000) * PER_SECOND) };
}

describe('over real sockets, from a server with a token bucket', () => {
  it('38: without pacing most calls are throttled; with it hardly any, and the limit is used up', async () => {
    const clock = virtualClock();
    const [unpaced, told] = [await startServer('everything', clock), await startServer('everything', clock)];
    const limiter = createOutboundLimiter({ clock, random: seededRandom(1) });
    await untilDone(clock, [callFor(2_500, unpaced.baseUrl, clock), callFor(3_500, told.baseUrl, clock, limiter)]);
    expect(settled(unpaced.answers).refused).toBeGreaterThan(0.5);
    const { refused, used } = settled(told.answers);
    expect(refused).toBeLessThan(0.05);
    expect(used).toBeGreaterThan(0.8);
    await limiter.close();
  });

  it('finds the rate of a server that announces no limit, or only Retry-After', async () => {
    const clock = virtualClock();
    const [silent, terse] = [await startServer('nothing', clock), await startServer('retryAfter', clock)];
    const limiter = createOutboundLimiter({ clock, random: seededRandom(1) });
    await untilDone(clock, [
      callFor(9_000, silent.baseUrl, clock, limiter),
      callFor(9_000, terse.baseUrl, clock, limiter),
    ]);
    for (const { answers } of [silent, terse]) {
      const { refused, used } = settled(answers);
      expect(refused).toBeLessThan(0.15);
      expect(used).toBeGreaterThan(0.5);
    }
    await limiter.close();
  });
});
