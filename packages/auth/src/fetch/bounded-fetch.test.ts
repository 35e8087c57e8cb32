import { getEventListeners } from 'node:events';
import { TimeoutError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import { fetchBounded, ResponseTooLargeError } from './bounded-fetch.ts';

const { signal } = new AbortController();
const request = (clock: ReturnType<typeof virtualClock>, fetch: () => Promise<Response>) =>
  fetchBounded({
    purpose: 'jwks',
    url: 'https://id.example.com/',
    method: 'GET',
    headers: {},
    fetch,
    clock,
    timeoutMs: 100,
    maxBytes: 10,
    readsBody: (status) => status === 200,
    signal,
  });

describe('a bounded fetch, with a fetch that ignores its signal', () => {
  it('cancels the body that is being read at the time limit', async () => {
    const clock = virtualClock({ settle: 'eventLoop' });
    let pulled = 0;
    let cancelledBy: unknown;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => (++pulled === 1 ? controller.enqueue(new Uint8Array(1)) : new Promise(() => {})),
      cancel: (reason) => void (cancelledBy = reason),
    });
    const outcome = request(clock, () => Promise.resolve(new Response(body))).catch((error: unknown) => error);
    await clock.advance(100);
    expect(await outcome).toBeInstanceOf(TimeoutError);
    await clock.settle();
    expect(cancelledBy).toBe(await outcome);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    clock.assertNoTimers();
  });

  it('cancels a response that comes after the time limit', async () => {
    const clock = virtualClock({ settle: 'eventLoop' });
    let cancelled = 0;
    let respond!: (response: Response) => void;
    const outcome = request(clock, () => new Promise((resolve) => (respond = resolve))).catch(
      (error: unknown) => error,
    );
    await clock.advance(100);
    expect(await outcome).toBeInstanceOf(TimeoutError);
    respond(new Response(new ReadableStream({ cancel: () => void cancelled++ })));
    await clock.settle();
    expect(cancelled).toBe(1);
  });

  it('ignores what comes after the time limit and is not a response', async () => {
    const clock = virtualClock({ settle: 'eventLoop' });
    let respond!: (response: Response) => void;
    const outcome = request(clock, () => new Promise((resolve) => (respond = resolve))).catch(
      (error: unknown) => error,
    );
    await clock.advance(100);
    expect(await outcome).toBeInstanceOf(TimeoutError);
    // An unhandled rejection would end the process.
    respond(undefined as never);
    await clock.settle();
  });

  it('does not wait for the cancellation of a body that is too long', async () => {
    const clock = virtualClock({ settle: 'eventLoop' });
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(11)),
      cancel: () => new Promise(() => {}),
    });
    await expect(request(clock, () => Promise.resolve(new Response(body)))).rejects.toThrow(ResponseTooLargeError);
  });

  it('returns a body that is empty or missing', async () => {
    const clock = virtualClock({ settle: 'eventLoop' });
    for (const body of [null, '', new ReadableStream({ start: (controller) => controller.close() })]) {
      expect(await request(clock, () => Promise.resolve(new Response(body)))).toMatchObject({ status: 200, text: '' });
    }
  });
});
