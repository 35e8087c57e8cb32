import type { Case, Claim, Suite } from '../src/suite.ts';
import {
  bareTransport,
  buffered,
  globalFetch,
  handWritten,
  macadam,
  macadamFetch,
  undiciFetch,
} from './http/buffered.ts';
import type { ContenderFactory, Load } from './http/contender.ts';
import { afterCalls, observed, withEndpoints } from './http/overhead.ts';
import { streamed } from './http/streamed.ts';

const SMALL: Load = { bodyBytes: 70, inFlight: 1, warmUp: 40_000 };
/** For small differences: what is optimized last is compiled beyond the usual warm-up. */
const SMALL_LONG: Load = { ...SMALL, warmUp: 80_000 };
const LARGE: Load = { bodyBytes: 100_000, inFlight: 1, warmUp: 3_000 };
/** The whole client is compiled only after a few thousand of these. */
const HUGE: Load = { bodyBytes: 1_000_000, inFlight: 4, warmUp: 4_000 };

const under = (load: Load, factories: readonly ContenderFactory[]): Case['contenders'] =>
  factories.map((create) => create(load));
const atMost = (of: string, limit: number, ...peers: readonly string[]): Claim[] =>
  peers.map((to) => ({ of, to, atMost: limit }));

const HAND_WRITTEN = handWritten.map((create) => create(SMALL).name);

const smallCase = (name: string, what: string, inFlight: number): Case => ({
  name: `small JSON, ${name}`,
  what: `A response body of 70 bytes, ${what}.`,
  contenders: under({ ...SMALL, inFlight }, buffered),
  claims: [
    // One at a time, the two are so close that a case of their own compares them.
    ...(inFlight > 1 ? atMost('macadam get', 0.95, 'undici pool.request') : []),
    ...atMost('macadam get', 1, ...HAND_WRITTEN),
    ...atMost('macadam get', 0.35, 'got', 'ky', 'axios + axios-retry'),
  ],
});

const largeCase = (name: string, what: string, inFlight: number): Case => ({
  name: `100 kB of JSON, ${name}`,
  what: `A response body of 100 kB, ${what}.`,
  contenders: under({ ...LARGE, inFlight }, buffered),
  claims: atMost('macadam get', 1, 'undici pool.request', ...HAND_WRITTEN),
});

/** One subject at growing sizes. The largest may cost at most `limit` times as much as the smallest. */
function curve(
  name: string,
  what: string,
  sizes: readonly number[],
  create: (size: number) => ContenderFactory,
  limit: number,
): Case {
  const contenders = under(SMALL, sizes.map(create));
  const [first, last] = [contenders[0]?.name ?? '', contenders.at(-1)?.name ?? ''];
  return { name, what, contenders, curve: true, sliced: true, claims: atMost(last, limit, first) };
}

export const suite: Suite = {
  name: 'http',
  what: 'A GET over a loopback socket. Clients use retries and timeouts where they have them. The server runs in a process of its own; the figures are those of the client alone, after warm-up.',
  cases: [
    smallCase('one at a time', 'one request at a time', 1),
    {
      name: 'small JSON, compared with a bare transport',
      what: 'A response body of 70 bytes, one request at a time: the client with its default policies, and undici without any.',
      contenders: under(SMALL_LONG, [macadam, bareTransport]),
      claims: atMost('macadam get', 0.95, 'undici pool.request'),
      sliced: true,
    },
    smallCase('32 in flight', '32 requests in flight', 32),
    smallCase('256 in flight', '256 requests in flight', 256),
    largeCase('one at a time', 'one request at a time', 1),
    largeCase('32 in flight', '32 requests in flight', 32),
    largeCase('256 in flight', '256 requests in flight', 256),
    {
      name: 'fetch',
      what: 'Through the `fetch` interface: a response body of 70 bytes, one request at a time.',
      contenders: under(SMALL, [macadamFetch, undiciFetch, globalFetch]),
      claims: atMost('macadam fetch', 1, 'undici fetch'),
    },
    {
      name: 'a megabyte, streamed',
      what: 'A response body of 1 MB, read in chunks as it arrives, four requests in flight.',
      contenders: under(HUGE, streamed),
      claims: atMost('macadam stream', 1, 'undici + cockatiel'),
      sliced: true,
    },
    {
      name: 'observed',
      what: 'With an OpenTelemetry SDK that records the spans and metrics of every call and discards them, set up by `startTelemetry` and by hand, and without an SDK. Recording may cost 8 µs. For comparison, undici without an SDK and with one; its span has three attributes and is not propagated.',
      contenders: under(SMALL_LONG, observed),
      claims: [
        ...['macadam get, with startTelemetry', 'macadam get, with spans and metrics'].map((of) => {
          return { of, to: 'macadam get', atMost: 1, plusNs: 8_000 };
        }),
        ...atMost('macadam get, with spans and metrics', 1, 'undici pool.request, a span and a histogram by hand'),
      ],
      sliced: true,
    },
    curve(
      'endpoints',
      'A client with this many endpoints, of which each call selects one. All requests go to one server.',
      [1, 100, 10_000],
      withEndpoints,
      1.1,
    ),
    curve(
      'calls before',
      'A client that has already made this many calls. Neither its memory use nor the cost of a call should grow with them.',
      [1_000, 1_000_000],
      afterCalls,
      1.1,
    ),
  ],
};
