import { virtualClock } from '@macadam/testkit';
import { expect, it } from 'vitest';
import type { Redis, RedisArgument } from './client.ts';
import { DeadlineWriter } from './deadline-writer.ts';
import { KeyNames } from './key-names.ts';

const TIMEOUT_MS = 250;
const SERVER_CLOCK_OFFSET_MS = 1_000_000;

/** A writer to a server that takes 10 ms for each way, and forgets its scripts on request. */
function setUp() {
  const clock = virtualClock();
  const server = { knowsScript: false, stored: [] as string[], replyDelayMs: 10 };
  const send = async (_key: string, words: RedisArgument[]): Promise<unknown> => {
    const [command, , , , , entry, , deadline] = words.map(String);
    await clock.sleep(10);
    const now = clock.monotonic() + SERVER_CLOCK_OFFSET_MS;
    const isKnown = command === 'EVAL' || server.knowsScript;
    if (isKnown) server.knowsScript = true;
    const isInTime = isKnown && now <= Number(deadline);
    if (isInTime) server.stored.push(entry as string);
    await clock.sleep(server.replyDelayMs);
    if (!isKnown) throw new Error('NOSCRIPT No matching script');
    return [isInTime ? 1 : 0, Buffer.from(String(now))];
  };
  const redis = { driver: 'ioredis', cluster: false, send } as unknown as Redis;
  const writer = new DeadlineWriter(redis, new KeyNames('mc', 'users'), clock, TIMEOUT_MS);
  const write = (entry: string, isCurrent?: () => boolean): Promise<boolean> =>
    writer.write('k', Buffer.from(entry), '1000', undefined, isCurrent);
  return { clock, server, write };
}

it('sends again after it has learned the script is missing, or the clock of the server', async () => {
  const { clock, server, write } = setUp();
  expect(await clock.runUntil(write('first'))).toBe(true);
  expect(await clock.runUntil(write('second'))).toBe(true);
  server.knowsScript = false;
  expect(await clock.runUntil(write('third'))).toBe(true);
  expect(server.stored).toEqual(['first', 'second', 'third']);
});

it('sends nothing again after a newer change has begun', async () => {
  const { clock, server, write } = setUp();
  const isOutdated = (): boolean => false;
  // First the script is missing, then the clock of the server is unknown.
  for (const knowsScript of [false, true]) {
    server.knowsScript = knowsScript;
    expect(await clock.runUntil(write('older', isOutdated))).toBe(false);
  }
  expect(server.stored).toEqual([]);
  expect(await clock.runUntil(write('known', () => true))).toBe(true);
  server.knowsScript = false;
  expect(await clock.runUntil(write('older', isOutdated))).toBe(false);
  // The reply is late, so the offset of the clock is wrong.
  server.knowsScript = true;
  server.replyDelayMs = 600;
  expect(await clock.runUntil(write('slow', () => true))).toBe(true);
  server.replyDelayMs = 10;
  expect(await clock.runUntil(write('older', isOutdated))).toBe(false);
  expect(server.stored).toEqual(['known', 'slow']);
});

it('rejects when the reply to the first attempt is too late for another', async () => {
  const { clock, server, write } = setUp();
  server.knowsScript = true;
  server.replyDelayMs = 600;
  await expect(clock.runUntil(write('late'))).rejects.toThrow('after its deadline');
  expect(server.stored).toEqual([]);
});
