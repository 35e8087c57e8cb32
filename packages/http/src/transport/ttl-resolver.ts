/**
 * Names by DNS, for as long as DNS says. `dns.lookup` asks the operating system, which does not tell for how long an
 * answer is good; so who uses it has to guess when to ask again. Nothing that has expired is ever answered with.
 */
import { lookup as systemLookup, promises as dns, type LookupAddress, type LookupOptions } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { RecencyMap, type Clock } from '@macadam/core';

/** An address of a host name. */
export interface ResolvedAddress {
  /** The IPv4 or IPv6 address. */
  readonly address: string;
  /** How long the address is valid, in milliseconds; less than 1 000 counts as 1 000. */
  readonly ttlMs: number;
}

/** Resolves a host name to its addresses. Should reject with an error that has a `code`, such as `ENOTFOUND`. */
export type ResolveFunction = (hostname: string) => Promise<readonly ResolvedAddress[]>;

/** A record may say 0; asking for each connection would still be too often. */
const SHORTEST_MS = 1_000;
/** Hosts that redirects lead to are remembered as well. */
const MOST_NAMES = 1_000;
/** A question that was not answered for so long is asked again beside it: it may never be. */
const PATIENCE_MS = 5_000;
/** When DNS tells only of one family, since the question for the other failed, that is no reason to do without for long. */
const PARTIAL_MS = 5_000;
/** A name that only the operating system knows, from its hosts file say, is asked for again after this. */
const SYSTEM_TTL_MS = 60_000;

interface Known {
  readonly addresses: readonly LookupAddress[];
  readonly askedAt: number;
  /** Until then they are answered with. */
  readonly expiresAt: number;
  /** From then on it is worth asking again. */
  askAt: number;
  /** Whether an address it had before has gone, and nobody was told so far. */
  moved: boolean;
}

interface Question {
  readonly answer: Promise<readonly LookupAddress[]>;
  readonly askedAt: number;
}

export class TtlResolver {
  readonly #resolve: ResolveFunction;
  readonly #clock: Clock;
  /** Those asked for the longest ago are forgotten first. */
  readonly #known = new RecencyMap<string, Known>();
  readonly #pending = new Map<string, Question>();

  constructor(resolve: ResolveFunction, clock: Clock) {
    this.#resolve = resolve;
    this.#clock = clock;
  }

  /** As `dns.lookup`. */
  readonly lookup: LookupFunction = (hostname, options: LookupOptions, callback) => {
    this.#addresses(hostname).then(
      (all) => {
        const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
        const fitting = family === 0 ? all : all.filter((one) => one.family === family);
        if (options.all === true) callback(null, [...fitting]);
        else callback(null, fitting[0]?.address as string, fitting[0]?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    );
  };

  /** Whether there may be news of a name; not before it was first asked for. */
  isDue(hostname: string): boolean {
    const known = this.#known.peek(hostname);
    if (known === undefined || this.#questionOf(hostname) !== undefined) return false;
    return known.moved || this.#clock.monotonic() >= known.askAt;
  }

  /** Asks anew, and tells whether the name has left one of the addresses it had. Never rejects. */
  async hasMoved(hostname: string): Promise<boolean> {
    // A failure changes nothing for what is connected; it is asked for again a little later.
    await this.#addresses(hostname).catch(() => {
      const known = this.#known.peek(hostname);
      if (known !== undefined) known.askAt = this.#clock.monotonic() + SHORTEST_MS;
    });
    const known = this.#known.peek(hostname);
    if (known?.moved !== true) return false;
    known.moved = false;
    return true;
  }

  #addresses(hostname: string): Promise<readonly LookupAddress[]> {
    const known = this.#known.peek(hostname);
    if (known !== undefined && this.#clock.monotonic() < known.expiresAt) return Promise.resolve(known.addresses);
    const pending = this.#questionOf(hostname);
    if (pending !== undefined) return pending.answer;
    const askedAt = this.#clock.monotonic();
    const answer = this.#ask(hostname, askedAt).finally(() => {
      if (this.#pending.get(hostname)?.answer === answer) this.#pending.delete(hostname);
    });
    this.#pending.set(hostname, { answer, askedAt });
    return answer;
  }

  /** The one that is worth waiting for, if any. */
  #questionOf(hostname: string): Question | undefined {
    const question = this.#pending.get(hostname);
    return question !== undefined && this.#clock.monotonic() - question.askedAt < PATIENCE_MS ? question : undefined;
  }

  async #ask(hostname: string, askedAt: number): Promise<readonly LookupAddress[]> {
    const records = await this.#resolve(hostname);
    if (records.length === 0) {
      throw Object.assign(new Error('The host has no address'), { code: 'ENODATA', hostname });
    }
    const addresses = records.map(({ address }) => ({ address, family: isIP(address) }));
    const before = this.#known.peek(hostname);
    // It took so long that it was asked again, and that was answered first.
    if (before !== undefined && before.askedAt > askedAt) return addresses;
    const left = before?.addresses.some(({ address }) => addresses.every((one) => one.address !== address));
    if (before === undefined && this.#known.size >= MOST_NAMES) this.#known.deleteOldest();
    const ttlMs = Math.max(SHORTEST_MS, Math.min(...records.map((record) => record.ttlMs)));
    const expiresAt = this.#clock.monotonic() + ttlMs;
    this.#known.set(hostname, {
      addresses,
      askedAt,
      expiresAt,
      askAt: expiresAt,
      moved: left === true || before?.moved === true,
    });
    return addresses;
  }
}

/** The addresses DNS has for a name, IPv4 first; of a name that DNS does not know, those of the operating system. */
export async function resolveByDns(hostname: string): Promise<readonly ResolvedAddress[]> {
  const answers = await Promise.allSettled([
    dns.resolve4(hostname, { ttl: true }),
    dns.resolve6(hostname, { ttl: true }),
  ]);
  const records = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const longestMs = answers.some(isUnknown) ? PARTIAL_MS : Infinity;
  if (records.length > 0)
    return records.map(({ address, ttl }) => ({ address, ttlMs: Math.min(ttl * 1_000, longestMs) }));
  return new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true }, (error, addresses) => {
      if (error !== null) reject(error);
      else resolve(addresses.map(({ address }) => ({ address, ttlMs: SYSTEM_TTL_MS })));
    });
  });
}

/** Whether there was no answer; "there is none of this family" is one. */
function isUnknown(answer: PromiseSettledResult<unknown>): boolean {
  return answer.status === 'rejected' && !['ENODATA', 'ENOTFOUND'].includes((answer.reason as { code: string }).code);
}
