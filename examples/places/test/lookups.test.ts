// Both lookups against a real server that fails on demand.
import { hang, resetBeforeHeaders, respond, startFaultServer } from '@macadam/testkit';
import { describe, expect, test } from 'vitest';
import { fetchLookup } from '../src/lookup-fetch.ts';
import { macadamLookup } from '../src/lookup-macadam.ts';

const places = [{ name: 'Ålesund', country: 'NO', region: '08', latitude: 62.47, longitude: 6.15 }];
const handle = () => ({ json: { places } });

describe.each([
  ['plain fetch', fetchLookup],
  ['Macadam', macadamLookup],
])('the lookup on %s', (_, createLookup) => {
  test('requests the encoded name and returns the places', async () => {
    await using upstream = await startFaultServer({ handle });
    const lookup = createLookup(upstream.url);
    expect(await lookup.find('Ålesund/Nord?')).toEqual(places);
    expect(upstream.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /places/%C3%85lesund%2FNord%3F',
    ]);
    expect(lookup.activity()).toMatchObject({ attempts: 1, retries: 0, transitions: [] });
    await lookup.close();
  });

  test('fails with a status for the response to its own caller', async () => {
    await using upstream = await startFaultServer({ handle, faults: [{ fault: resetBeforeHeaders() }] });
    const lookup = createLookup(upstream.url);
    await expect(lookup.find('Bath')).rejects.toMatchObject({ name: 'LookupError', status: 502 });
    await lookup.close();
  });
});

test('plain fetch gives up at the first 503', async () => {
  const once503 = { fault: respond(503), when: { requests: [1, 1] } } as const;
  await using upstream = await startFaultServer({ handle, faults: [once503] });
  await expect(fetchLookup(upstream.url).find('Bath')).rejects.toMatchObject({ status: 502 });
  expect(upstream.stats().requests).toBe(1);
});

describe('Macadam', () => {
  test.each([
    ['a 503', respond(503, { retryAfter: 0 })],
    ['a reset', resetBeforeHeaders()],
    ['no response', hang()],
  ])('succeeds with a retry after %s', async (_, fault) => {
    await using upstream = await startFaultServer({ handle, faults: [{ fault, when: { requests: [1, 1] } }] });
    const lookup = macadamLookup(upstream.url);
    expect(await lookup.find('Bath')).toEqual(places);
    expect(upstream.stats().requests).toBe(2);
    expect(lookup.activity()).toMatchObject({ attempts: 2, retries: 1 });
    await lookup.close();
  });

  test('opens the circuit when the upstream is down, fails at once, and closes it when the upstream is back', async () => {
    await using upstream = await startFaultServer({ handle, faults: [{ fault: resetBeforeHeaders() }] });
    const lookup = macadamLookup(upstream.url);
    const isOpen = () => lookup.activity().transitions.at(-1)?.to === 'open';
    while (!isOpen()) await lookup.find('Bath').catch(() => {});
    const before = upstream.stats().requests;
    await expect(lookup.find('Bath')).rejects.toMatchObject({ status: 503 });
    expect(upstream.stats().requests).toBe(before);
    expect(lookup.activity().circuitRefusals).toBeGreaterThan(0);

    await upstream.setFaults([]);
    while (lookup.activity().transitions.at(-1)?.to !== 'closed') {
      await lookup.find('Bath').catch(() => new Promise(setImmediate));
    }
    expect(await lookup.find('Bath')).toEqual(places);
    expect(lookup.activity().transitions.map(({ to }) => to)).toEqual(
      expect.arrayContaining(['open', 'halfOpen', 'closed']),
    );
    await lookup.close();
  });

  test('fails within its time limit when the upstream never responds', async () => {
    await using upstream = await startFaultServer({ handle, faults: [{ fault: hang() }] });
    const lookup = macadamLookup(upstream.url);
    await expect(lookup.find('Bath')).rejects.toMatchObject({ status: 504 });
    expect(lookup.activity().timeoutMs).toBe(1_000);
    await lookup.close();
  });
});
