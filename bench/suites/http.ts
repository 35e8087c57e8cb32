import type { Case, Claim, Suite } from '../src/suite.ts';
import { after, observed, ofEndpoints } from './http/own-costs.ts';
import { globalFetch, handMade, macadamFetch, readWhole, undiciFetch } from './http/read-whole.ts';
import type { Load, Way } from './http/served.ts';
import { streamed } from './http/streamed.ts';

const SMALL: Load = { bodyBytes: 70, inFlight: 1, warmUp: 40_000 };
const LARGE: Load = { bodyBytes: 100_000, inFlight: 1, warmUp: 3_000 };
const HUGE: Load = { bodyBytes: 1_000_000, inFlight: 4, warmUp: 1_500 };

const under = (load: Load, ways: readonly Way[]): Case['contenders'] => ways.map((make) => make(load));
const atMost = (of: string, limit: number, ...peers: readonly string[]): Claim[] =>
  peers.map((to) => ({ of, to, atMost: limit }));

const HAND_MADE = handMade.map((make) => make(SMALL).name);

const smallCase = (name: string, what: string, inFlight: number): Case => ({
  name: `small JSON, ${name}`,
  what: `A body of 70 bytes, ${what}.`,
  contenders: under({ ...SMALL, inFlight }, readWhole),
  claims: [
    ...atMost('macadam get', 0.95, 'undici pool.request'),
    ...atMost('macadam get', 1, ...HAND_MADE),
    ...atMost('macadam get', 0.35, 'got', 'ky', 'axios + axios-retry'),
  ],
});

const largeCase = (name: string, what: string, inFlight: number): Case => ({
  name: `100 kB of JSON, ${name}`,
  what: `A body of 100 kB, ${what}.`,
  contenders: under({ ...LARGE, inFlight }, readWhole),
  claims: atMost('macadam get', 1, 'undici pool.request', ...HAND_MADE),
});

/** One subject at growing sizes. The largest may cost at most this many times as much as the smallest. */
function curve(name: string, what: string, sizes: readonly number[], make: (size: number) => Way, limit: number): Case {
  const contenders = under(SMALL, sizes.map(make));
  const [first, last] = [contenders[0]?.name ?? '', contenders.at(-1)?.name ?? ''];
  return { name, what, contenders, curve: true, claims: atMost(last, limit, first) };
}

export const suite: Suite = {
  name: 'http',
  what: 'A GET over a loopback socket, each client with retries and time limits where it has them. The server has a process of its own; the figures are those of the client alone, once it has been in use for a while.',
  cases: [
    smallCase('one at a time', 'one request after the other', 1),
    smallCase('32 in flight', '32 requests at a time', 32),
    smallCase('256 in flight', '256 requests at a time', 256),
    largeCase('one at a time', 'one request after the other', 1),
    largeCase('32 in flight', '32 requests at a time', 32),
    largeCase('256 in flight', '256 requests at a time', 256),
    {
      name: 'fetch',
      what: 'The standard way to ask: a body of 70 bytes, one request after the other.',
      contenders: under(SMALL, [macadamFetch, undiciFetch, globalFetch]),
      claims: atMost('macadam fetch', 1, 'undici fetch'),
    },
    {
      name: 'a megabyte, streamed',
      what: 'Read piece by piece as it comes in, four requests at a time.',
      contenders: under(HUGE, streamed),
      claims: atMost('macadam stream', 1, 'undici + cockatiel'),
    },
    {
      name: 'observed',
      what: 'With an SDK of OpenTelemetry that records the spans and metrics of every call and keeps none, set up by `startTelemetry` and by hand, and without. Recording may cost 8 µs.',
      contenders: under(SMALL, observed),
      claims: ['macadam get, with startTelemetry', 'macadam get, with spans and metrics'].map((of) => {
        return { of, to: 'macadam get', atMost: 1, plusNs: 8_000 };
      }),
    },
    curve(
      'endpoints',
      'A client of so many endpoints, of which each call chooses one. They all lead to one server.',
      [1, 100, 10_000],
      ofEndpoints,
      1.1,
    ),
    curve(
      'calls before',
      'A client that has done so many calls before. Its memory is to be level, and so is what a call costs.',
      [1_000, 1_000_000],
      after,
      1.1,
    ),
  ],
};
