/** Selecting header fields (RFC 9111, section 4.1). */
import { virtualClock, type VirtualClock } from '@macadam/testkit';
import { beforeEach, describe, test } from 'vitest';
import type { CacheMode } from '../src/index.ts';
import { runScenario, type Step, withCacheControl } from './cache-scenario.ts';

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
