import { createServer, request as send, Agent, type Server } from 'node:http';
import { priorities, type Priority } from '@macadam/core';
import { seededRandom, virtualClock, type VirtualClock } from '@macadam/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { createLoadShedder, refusalResponse, type LoadShedder } from '../src/index.ts';
import { passTime } from './passing-time.ts';

/** At once, and how long each takes: 250 a second. */
const PLACES = 10;
const WORK_MS = 40;
const CAPACITY = (PLACES / WORK_MS) * 1_000;

interface Stream {
  readonly priority: Priority;
  /** A second, at so many milliseconds from the start. */
  readonly perSecond: (atMs: number) => number;
}

interface Ended {
  readonly priority: Priority;
  /** When it came, in milliseconds from the start. */
  readonly at: number;
  readonly status: number | undefined;
}

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

/** A server whose work takes places, not CPU: what is asserted is its order, which a busy machine does not change. */
async function startServer(shedder: LoadShedder, clock: VirtualClock) {
  /** By the shedder's own clock, of those who were served. */
  const waitsMs: number[] = [];
  const worksMs: number[] = [];
  const server = createServer((request, response) => {
    const cameAt = clock.monotonic();
    const work = async (): Promise<void> => {
      const begunAt = clock.monotonic();
      waitsMs.push(begunAt - cameAt);
      await clock.sleep(WORK_MS);
      worksMs.push(clock.monotonic() - begunAt);
    };
    const priority = priorities.find((one) => one === request.headers['x-request-priority']) ?? 'normal';
    shedder.run(work, { priority }).then(
      () => response.end('done'),
      (error: unknown) => {
        const answer = refusalResponse(error);
        response.writeHead(answer?.status ?? 500, answer?.headers ?? {}).end();
      },
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  servers.push(server);
  return { waitsMs, worksMs, port: (server.address() as { port: number }).port };
}

/** Sends requests as they are due, whether or not those before were answered: callers do not wait for each other. */
async function load(
  port: number,
  clock: VirtualClock,
  streams: readonly Stream[],
  durationMs: number,
): Promise<Ended[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000 });
  const random = seededRandom(5);
  const ended: Ended[] = [];
  let sent = 0;
  const one = (priority: Priority, at: number): void => {
    sent++;
    const end = (status: number | undefined): void => void ended.push({ priority, at, status });
    const headers = { 'x-request-priority': priority };
    const outgoing = send({ port, agent, headers }, (answer) => {
      answer.resume().on('end', () => end(answer.statusCode));
    });
    outgoing.on('error', () => end(undefined)).end();
  };
  for (const { priority, perSecond } of streams) {
    const arrive = (): void => {
      const now = clock.monotonic();
      if (now >= durationMs) return;
      one(priority, now);
      clock.setTimer(arrive, (-Math.log(1 - random()) / perSecond(now)) * 1_000);
    };
    arrive();
  }
  await passTime(clock, () => clock.monotonic() >= durationMs && ended.length === sent);
  agent.destroy();
  return ended;
}

function quantile(values: readonly number[], q: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? NaN;
}

function shareServed(ended: readonly Ended[]): number {
  return ended.filter(({ status }) => status === 200).length / ended.length;
}

const places = { concurrency: { initial: PLACES, min: PLACES, max: PLACES } } as const;

describe('a server over real sockets', () => {
  it('at twice its capacity, uses its capacity and keeps waits short', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ ...places, reserve: 0, clock, random: seededRandom(1) });
    const { waitsMs, worksMs, port } = await startServer(shedder, clock);
    const ended = await load(port, clock, [{ priority: 'normal', perSecond: () => 2 * CAPACITY }], 4_000);
    // Places that were at work, of all that there were.
    const used = worksMs.reduce((sum, ms) => sum + ms, 0) / (PLACES * clock.monotonic());
    expect(quantile(waitsMs, 0.99)).toBeLessThanOrEqual(65);
    expect(used).toBeGreaterThan(0.9);
    expect(ended.filter(({ status }) => status !== 200 && status !== 503)).toEqual([]);
    await shedder.close();
  });

  it('serves critical requests through a twelvefold spike of background requests, and recovers', async () => {
    const clock = virtualClock();
    const shedder = createLoadShedder({ ...places, clock, random: seededRandom(1) });
    const { port } = await startServer(shedder, clock);
    const spike = (atMs: number): number => (atMs >= 1_000 && atMs < 3_000 ? 12 * 60 : 60);
    const ended = await load(
      port,
      clock,
      [
        { priority: 'critical', perSecond: () => 100 },
        { priority: 'background', perSecond: spike },
      ],
      7_000,
    );
    const critical = ended.filter(({ priority }) => priority === 'critical');
    const background = ended.filter(({ priority }) => priority === 'background');
    const within = (from: number, to: number): Ended[] => background.filter(({ at }) => at >= from && at < to);
    expect(shareServed(critical)).toBeGreaterThanOrEqual(0.994);
    expect(shareServed(within(1_000, 3_000))).toBeLessThan(0.3);
    expect(shareServed(within(5_500, 7_000))).toBeGreaterThan(0.95);
    expect(shedder.stats()).toMatchObject({ inFlight: 0, queued: 0 });
    await shedder.close();
  });
});
