/** Selecting header fields (RFC 9111, section 4.1). */
import { runWork } from '@macadam/core';
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, expect, test } from 'vitest';
import type { CacheMode } from '../src/index.ts';
import { cachingClient, runScenario, type Step, withCacheControl } from './cache-scenario.ts';
import { scriptedDispatcher, type ScriptedDispatcher } from './scripted-dispatcher.ts';

let clock: VirtualClock;
beforeEach(() => {
  clock = virtualClock();
});

async function run(steps: readonly Step[], mode: CacheMode = 'private'): Promise<void> {
  await runScenario(clock, steps, { mode });
}

describe('Vary', () => {
  test('selects stored responses by the fields it names and by no others', () =>
    run([
      { headers: { 'x-plan': 'a', other: '1' }, origin: withCacheControl('max-age=60', { vary: 'X-Plan' }) },
      { headers: { 'x-plan': 'b' }, origin: withCacheControl('max-age=60', { vary: 'x-plan' }) },
      { origin: withCacheControl('max-age=60', { vary: 'x-plan' }) },
      { headers: { 'x-plan': 'a', other: '2' }, forwarded: false, body: 'body 1' },
      { headers: { 'x-plan': 'b' }, forwarded: false, body: 'body 2' },
      { forwarded: false, body: 'body 3' },
      { headers: { 'x-plan': 'c' } },
    ]));

  test('compares fields without white space, repetition, and the order and letter case of languages', () =>
    run([
      {
        headers: { 'x-list': '1, 2', 'accept-language': 'en, de;q=0.5' },
        origin: withCacheControl('max-age=60', { vary: 'x-list, accept-language' }),
      },
      { headers: { 'x-list': ['1', '2'], 'accept-language': 'DE; q=0.5,en' }, forwarded: false },
      { headers: { 'x-list': '2, 1', 'accept-language': 'en, de;q=0.5' } },
    ]));
});

describe('a stored response in the language that Accept-Language prefers', () => {
  const german: Step = {
    headers: { 'accept-language': 'en, de' },
    origin: withCacheControl('max-age=60', { vary: 'Accept-Language', 'content-language': 'de' }),
  };

  test.each(['de', 'fr;q=0.5, de;q=1.0', 'DE ; q=0.9, *;q=0.1', 'de;q=0.2'])('answers %s', (language) =>
    run([german, { headers: { 'accept-language': language }, forwarded: false }]),
  );

  test.each(['fr, de;q=0.5', 'fr, de', 'de-at', '*', 'de;q=0', 'de;q=high', 'de;q=1;x=1'])(
    'does not answer %s',
    (language) => run([german, { headers: { 'accept-language': language } }]),
  );

  test('does not answer a request without Accept-Language', () => run([german, {}]));

  test('does not answer when another selecting field differs', () =>
    run([
      { ...german, origin: withCacheControl('max-age=60', { vary: 'Accept-Language, X-A', 'content-language': 'de' }) },
      { headers: { 'accept-language': 'de', 'x-a': '1' } },
    ]));
});

describe('Vary on a header that the client adds', () => {
  const echo = (name: string, control = 'max-age=60'): ScriptedDispatcher => {
    const origin = scriptedDispatcher(() => ({
      status: 200,
      ...withCacheControl(control, { vary: name, 'content-type': 'text/plain' }),
      body: `${origin.sent.length} for ${origin.headersOf(origin.sent.length - 1)[name]}`,
    }));
    return origin;
  };

  test('selects by the priority of the call, also after a revalidation in the background', async () => {
    const origin = echo('x-request-priority', 'max-age=10, stale-while-revalidate=60');
    await using client = cachingClient(clock, origin, {}, { peer: 'internal' });
    const textFor = async (priority: 'background' | 'normal') => (await client.get('/a', { priority })).text();
    const inWork = () => runWork({ priority: 'background', clock }, async () => (await client.get('/a')).text());
    expect([await textFor('background'), await textFor('normal')]).toEqual(['1 for background', '2 for undefined']);
    expect(await inWork()).toBe('1 for background');
    await clock.advance(15_000);
    expect(await inWork()).toBe('1 for background');
    await clock.settle();
    expect([await textFor('background'), await textFor('normal')]).toEqual(['3 for background', '2 for undefined']);
  });

  test.each(['x-request-timeout-ms', 'x-request-attempt', 'traceparent', 'baggage', 'If-None-Match'])(
    'keeps a response out of the store if the value is only known when the request is sent: %s',
    async (name) => {
      const origin = echo(name);
      await using client = cachingClient(clock, origin, {}, { peer: 'internal' });
      for (let i = 0; i < 2; i++) await client.get('/a');
      expect(origin.sent).toHaveLength(2);
    },
  );

  test('selects by the header of the caller if the peer is external', async () => {
    const origin = echo('traceparent');
    await using client = cachingClient(clock, origin);
    for (const traceparent of ['a', 'b', 'a']) await client.get('/a', { headers: { traceparent } });
    expect(origin.sent).toHaveLength(2);
  });
});
