import { runWork } from '@macadam/core';
import { describe, expect, test } from 'vitest';
import { guardedDoor, openDoor, type RefusedError } from '../src/front-door.ts';

const answer = async () => 'answered';

describe('the guarded door', () => {
  test('lets a key in until its limit is spent, and says when to come back; other keys are not touched', async () => {
    const door = guardedDoor();
    const refused: RefusedError[] = [];
    for (let i = 0; i < 130; i++)
      await door.admit('greedy', answer).catch((error: RefusedError) => refused.push(error));
    // A burst of 100, and what has come back meanwhile.
    expect(refused.length).toBeGreaterThan(0);
    for (const { status, headers } of refused) {
      expect(status).toBe(429);
      expect(Number(Object.entries(headers).find(([name]) => name.toLowerCase() === 'retry-after')?.[1])).toBe(1);
    }
    expect(await door.admit('modest', answer)).toBe('answered');
    await door.close();
  });

  test('turns the unimportant away when there is no room, and keeps room for the critical', async () => {
    const door = guardedDoor();
    const held = Promise.withResolvers<void>();
    const hold = (i: number) => door.admit(`key-${i}`, () => held.promise);
    const background = Array.from({ length: 200 }, (_, i) => runWork({ priority: 'background' }, () => hold(i)));
    const outcomes = Promise.allSettled(background);
    const critical = runWork({ priority: 'critical' }, () => door.admit('checkout', answer));
    expect(await critical).toBe('answered');
    held.resolve();
    const reasons = (await outcomes).flatMap((ending) => (ending.status === 'rejected' ? [ending.reason] : []));
    expect(reasons.length).toBeGreaterThan(0);
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'MAC_OVERLOADED', refusalStatus: 503 });
    await door.close();
  });

  test('passes on what the work throws', async () => {
    const door = guardedDoor();
    await expect(door.admit('key', () => Promise.reject(new Error('no such table')))).rejects.toThrow('no such table');
    await door.close();
  });
});

test('the open door lets everybody in', async () => {
  expect(await Promise.all(Array.from({ length: 500 }, () => openDoor.admit('greedy', answer)))).toHaveLength(500);
});
