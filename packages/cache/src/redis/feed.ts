import { randomUUID } from 'node:crypto';
import { runAtRoot, sleepWith, type Clock, type Timer } from '@macadam/core';
import type { Redis } from './client.ts';
import type { Names } from './names.ts';
import { tellScript, whereScript } from './scripts.ts';

/** One change, as it was told. */
export interface Told {
  readonly from: string;
  /** `i` and `x`: tags that were ended, `I` and `X`: keys. */
  readonly sign: string;
  readonly data: string;
}

/** One cache that listens. */
export interface FeedMember {
  readonly namespace: string;
  readonly names: Names;
  readonly onTold: (told: Told) => void;
  readonly onState: (kind: 'connected' | 'disconnected' | 'gap') => void;
  /** Something about the marks changed, and it is not known what. */
  readonly onMarks?: () => void;
}

/**
 * Where changes come from: follows them on a connection of its own, until that breaks or is told to stop. The server is asked where it
 * is before: drivers keep what they have begun to open, so only one that answers is worth another connection.
 */
export interface Source {
  /** Rejects when the connection breaks; resolves when it was stopped. */
  follow(feed: Feed): Promise<void>;
  stop(): void;
  /** The server itself tells what was changed. */
  readonly tells?: boolean;
}

/** A place among all changes: the number of the newest, and where it stands in the log. */
export interface Place {
  readonly number: number;
  readonly at: string;
}

const PROBE = 'p';
const FIRST_DELAY_MS = 50;
const LONGEST_DELAY_MS = 500;
/** A probe goes out with each so many looks at the numbers, of which there is one a second while nothing happens. */
const LOOKS_PER_PROBE = 10;

/**
 * The changes of all caches that share a client and a prefix, on one connection however many they are. Every change has a
 * number; one that is missing shows as a gap. Coherence holds from the moment in which a probe of its own came back: what was
 * told before that has come as well.
 */
export class Feed {
  readonly redis: Redis;
  readonly names: Names;
  readonly clock: Clock;
  /** How many changes the log keeps, as the scripts want it; 0 for a channel. */
  readonly kept: string;
  readonly #source: Source | undefined;
  readonly #members = new Map<string, Set<FeedMember>>();
  readonly #self: string = randomUUID();
  connected: boolean | undefined;
  lagMs = 0;
  #following = false;
  #number: number | undefined;
  /** A number that was given out and whose change has not come yet. */
  #awaited = 0;
  #probedAt = 0;
  #looks = 0;

  constructor(redis: Redis, names: Names, clock: Clock, kept: number, source: Source | undefined) {
    this.redis = redis;
    this.names = names;
    this.clock = inBackground(clock);
    this.kept = String(kept);
    this.#source = source;
    this.connected = source === undefined ? undefined : false;
  }

  join(member: FeedMember): () => void {
    const { namespace } = member;
    const members = this.#members.get(namespace) ?? new Set();
    this.#members.set(namespace, members.add(member));
    const source = this.#source;
    // It outlives whoever happens to make the first cache.
    if (source !== undefined && !this.#following) void runAtRoot(() => this.#follow(source));
    return () => {
      if (!members.delete(member)) return;
      if (members.size === 0 && this.#members.get(namespace) === members) this.#members.delete(namespace);
      if (this.#members.size > 0 || this.#source === undefined) return;
      this.connected = false;
      this.#source.stop();
    };
  }

  async tell(from: string, namespace: string, sign: string, data: string): Promise<void> {
    if (this.#source === undefined || this.#source.tells === true) return;
    const { numbers, log } = this.names;
    await tellScript.run(this.redis, [numbers, log], [this.kept, from, namespace, sign, data]);
  }

  async where(): Promise<Place> {
    const { numbers, log } = this.names;
    const [number, at] = (await whereScript.run(this.redis, [numbers, log], [])) as [Buffer, Buffer];
    return { number: Number(number.toString()), at: at.toString() };
  }

  /** What is there is no continuation of what came: changes were lost, and nobody knows which. */
  lose(): void {
    this.#gap();
    this.#number = undefined;
  }

  /** The source listens from here on. */
  begin(place: Place): void {
    if (this.#number !== undefined && this.#number !== place.number) this.#gap();
    this.#number = place.number;
  }

  get begun(): boolean {
    return this.#number !== undefined;
  }

  /** Sends a probe, which comes back when changes do. */
  probe(): void {
    this.probed();
    this.tell(this.#self, '', PROBE, '').catch(() => {
      // The next look will notice.
    });
  }

  /** A probe is on its way. */
  probed(): void {
    this.#probedAt = this.clock.monotonic();
  }

  /** A change has come. */
  receive(number: number, from: string, namespace: string, sign: string, data: string): void {
    if (this.#number === undefined) return;
    if (number !== this.#number + 1) this.#gap();
    this.#number = number;
    if (from === this.#self) this.arrived();
    for (const member of this.#members.get(namespace) ?? []) member.onTold({ from, sign, data });
  }

  /** The probe came back. */
  arrived(): void {
    this.lagMs = this.clock.monotonic() - this.#probedAt;
    if (this.connected === true) return;
    this.connected = true;
    this.#each(({ onState }) => onState('connected'));
  }

  /** Nothing came for a while. Whether changes were lost without a trace, or the server has lost its numbers. */
  async look(): Promise<boolean> {
    const { number } = await this.where();
    const seen = this.#number as number;
    if (number < seen || (number > seen && this.#awaited > seen)) {
      this.lose();
      return false;
    }
    this.#awaited = number;
    if (++this.#looks % LOOKS_PER_PROBE === 0 || this.connected !== true) this.probe();
    return true;
  }

  /** All members: by name of an entry or of marks, or everything. */
  changed(name: string | undefined): void {
    if (name === undefined) return this.#gap();
    this.#each(({ names, onTold, onMarks }) => {
      if (name === names.marks) return onMarks?.();
      const key = names.keyOf(name);
      if (key !== undefined) onTold({ from: '', sign: 'I', data: JSON.stringify([key]) });
    });
  }

  #gap(): void {
    this.#each(({ onState }) => onState('gap'));
  }

  #each(tell: (member: FeedMember) => void): void {
    for (const members of this.#members.values()) for (const member of members) tell(member);
  }

  async #follow(source: Source): Promise<void> {
    this.#following = true;
    let delayMs = FIRST_DELAY_MS;
    while (this.#members.size > 0) {
      try {
        await source.follow(this);
      } catch {
        // What broke is told as a state; there is nobody to throw at.
      }
      if (this.connected === true) {
        this.connected = false;
        delayMs = FIRST_DELAY_MS;
        this.#each(({ onState }) => onState('disconnected'));
      }
      if (this.#members.size === 0) break;
      await this.clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS);
    }
    this.#following = false;
  }
}

/** Nobody waits for what is only listened to: its timers do not keep the process alive. */
function inBackground(clock: Clock): Clock {
  const setTimer = (callback: () => void, delayMs: number): Timer => {
    const timer = clock.setTimer(callback, delayMs);
    timer.unref?.();
    return timer;
  };
  const sleep = (delayMs: number, signal?: AbortSignal): Promise<void> => sleepWith({ setTimer }, delayMs, signal);
  return { now: () => clock.now(), monotonic: () => clock.monotonic(), setTimer, sleep };
}
