import { randomUUID } from 'node:crypto';
import { runAtRoot, sleepWith, type Clock, type Timer } from '@macadam/core';
import type { Redis } from './client.ts';
import type { KeyNames } from './key-names.ts';
import { publishScript, positionScript } from './scripts.ts';

/** One change, as it was published. */
export interface ChangeMessage {
  readonly sender: string;
  /** What changed: tags that were invalidated (`i`) or expired (`x`), or keys (`I`, `X`). */
  readonly code: string;
  readonly data: string;
}

/** One cache that receives changes. */
export interface FeedSubscriber {
  readonly namespace: string;
  readonly keyNames: KeyNames;
  readonly onChange: (message: ChangeMessage) => void;
  readonly onState: (kind: 'connected' | 'disconnected' | 'gap') => void;
  /** The marks have changed; how is not known, and they must be read again. */
  readonly onMarksChanged?: () => void;
}

/**
 * A way to receive changes over its own connection: a log, Pub/Sub or client tracking. A source must read the position
 * from the server before it opens a connection: drivers keep a connection that they have begun to open, so only a
 * server that responds is worth one.
 */
export interface ChangeSource {
  /** Receives changes until `stop`. Rejects when the connection breaks. */
  follow(feed: ChangeFeed): Promise<void>;
  stop(): void;
  /** Whether the server itself reports changes, so that nothing has to be published. */
  readonly serverNotifies?: boolean;
}

/** A position in the sequence of changes: the number of the newest, and the id of its log entry. */
export interface FeedPosition {
  readonly sequence: number;
  readonly logId: string;
}

const PROBE_CODE = 'p';
const MIN_RECONNECT_MS = 50;
const MAX_RECONNECT_MS = 500;
/** While nothing happens, the position is checked once a second, and a probe is sent with every tenth check. */
const CHECKS_PER_PROBE = 10;

/**
 * The changes of all caches that share a client and a prefix, over one connection however many caches there are. Every
 * change has a sequence number, so a missing one shows as a gap. Changes are known to arrive from the moment at which a
 * probe of its own has returned: everything published before it has arrived as well.
 */
export class ChangeFeed {
  readonly redis: Redis;
  readonly keyNames: KeyNames;
  readonly clock: Clock;
  /** The maximum length of the log, as the scripts expect it; 0 to publish to a channel instead. */
  readonly maxLogLength: string;
  readonly #source: ChangeSource | undefined;
  readonly #subscribers = new Map<string, Set<FeedSubscriber>>();
  readonly #self: string = randomUUID();
  connected: boolean | undefined;
  lagMs = 0;
  #isFollowing = false;
  #sequence: number | undefined;
  /**
   * The newest sequence number on the server at the last check. If it has still not arrived at the next one, it is
   * lost.
   */
  #expectedSequence = 0;
  #probedAt = 0;
  #checks = 0;

  constructor(redis: Redis, keyNames: KeyNames, clock: Clock, maxLogLength: number, source: ChangeSource | undefined) {
    this.redis = redis;
    this.keyNames = keyNames;
    this.clock = withUnrefTimers(clock);
    this.maxLogLength = String(maxLogLength);
    this.#source = source;
    this.connected = source === undefined ? undefined : false;
  }

  subscribe(subscriber: FeedSubscriber): () => void {
    const { namespace } = subscriber;
    const subscribers = this.#subscribers.get(namespace) ?? new Set();
    this.#subscribers.set(namespace, subscribers.add(subscriber));
    const source = this.#source;
    // Runs at the root: it outlives the call that created the first cache.
    if (source !== undefined && !this.#isFollowing) void runAtRoot(() => this.#follow(source));
    return () => {
      if (!subscribers.delete(subscriber)) return;
      if (subscribers.size === 0 && this.#subscribers.get(namespace) === subscribers)
        this.#subscribers.delete(namespace);
      if (this.#subscribers.size > 0 || this.#source === undefined) return;
      this.connected = false;
      this.#source.stop();
    };
  }

  async publish(sender: string, namespace: string, code: string, data: string): Promise<void> {
    if (this.#source === undefined || this.#source.serverNotifies === true) return;
    const { sequence, log } = this.keyNames;
    await publishScript.run(this.redis, [sequence, log], [this.maxLogLength, sender, namespace, code, data]);
  }

  async readPosition(): Promise<FeedPosition> {
    const { sequence, log } = this.keyNames;
    const [number, logId] = (await positionScript.run(this.redis, [sequence, log], [])) as [Buffer, Buffer];
    return { sequence: Number(number.toString()), logId: logId.toString() };
  }

  /** The log does not continue where this process stopped: an unknown number of changes was lost. */
  reset(): void {
    this.#notifyGap();
    this.#sequence = undefined;
  }

  /** The source receives changes after this position. */
  startAt(position: FeedPosition): void {
    if (this.#sequence !== undefined && this.#sequence !== position.sequence) this.#notifyGap();
    this.#sequence = position.sequence;
  }

  get hasStarted(): boolean {
    return this.#sequence !== undefined;
  }

  /** Publishes a probe, which returns like any other change. */
  sendProbe(): void {
    this.markProbeSent();
    this.publish(this.#self, '', PROBE_CODE, '').catch(() => {
      // The next check notices.
    });
  }

  /** Notes that a probe was sent. */
  markProbeSent(): void {
    this.#probedAt = this.clock.monotonic();
  }

  /** Handles a change that has arrived. */
  receive(sequence: number, sender: string, namespace: string, code: string, data: string): void {
    if (this.#sequence === undefined) return;
    if (sequence !== this.#sequence + 1) this.#notifyGap();
    this.#sequence = sequence;
    if (sender === this.#self) this.markProbeReceived();
    for (const subscriber of this.#subscribers.get(namespace) ?? []) subscriber.onChange({ sender, code, data });
  }

  /** A probe has returned: changes arrive. */
  markProbeReceived(): void {
    this.lagMs = this.clock.monotonic() - this.#probedAt;
    if (this.connected === true) return;
    this.connected = true;
    this.#forEachSubscriber(({ onState }) => onState('connected'));
  }

  /**
   * Called when nothing has arrived for a while. Returns false when changes were lost without a trace, or the server
   * has lost its sequence.
   */
  async checkForLoss(): Promise<boolean> {
    const { sequence } = await this.readPosition();
    const seen = this.#sequence as number;
    if (sequence < seen || (sequence > seen && this.#expectedSequence > seen)) {
      this.reset();
      return false;
    }
    this.#expectedSequence = sequence;
    if (++this.#checks % CHECKS_PER_PROBE === 0 || this.connected !== true) this.sendProbe();
    return true;
  }

  /** Notifies the subscribers of a Redis key that was written, or of a gap when it is undefined (client tracking). */
  notifyKeyWritten(name: string | undefined): void {
    if (name === undefined) return this.#notifyGap();
    this.#forEachSubscriber(({ keyNames, onChange, onMarksChanged }) => {
      if (name === keyNames.marks) return onMarksChanged?.();
      const key = keyNames.parseEntryKey(name);
      if (key !== undefined) onChange({ sender: '', code: 'I', data: JSON.stringify([key]) });
    });
  }

  #notifyGap(): void {
    this.#forEachSubscriber(({ onState }) => onState('gap'));
  }

  #forEachSubscriber(notify: (subscriber: FeedSubscriber) => void): void {
    for (const subscribers of this.#subscribers.values()) for (const subscriber of subscribers) notify(subscriber);
  }

  async #follow(source: ChangeSource): Promise<void> {
    this.#isFollowing = true;
    let delayMs = MIN_RECONNECT_MS;
    while (this.#subscribers.size > 0) {
      try {
        await source.follow(this);
      } catch {
        // Reported below as a state; there is no caller to throw to.
      }
      if (this.connected === true) {
        this.connected = false;
        delayMs = MIN_RECONNECT_MS;
        this.#forEachSubscriber(({ onState }) => onState('disconnected'));
      }
      if (this.#subscribers.size === 0) break;
      await this.clock.sleep(delayMs);
      delayMs = Math.min(delayMs * 2, MAX_RECONNECT_MS);
    }
    this.#isFollowing = false;
  }
}

/** A clock whose timers do not keep the process alive. */
function withUnrefTimers(clock: Clock): Clock {
  const setTimer = (callback: () => void, delayMs: number): Timer => {
    const timer = clock.setTimer(callback, delayMs);
    timer.unref?.();
    return timer;
  };
  const sleep = (delayMs: number, signal?: AbortSignal): Promise<void> => sleepWith({ setTimer }, delayMs, signal);
  return { now: () => clock.now(), monotonic: () => clock.monotonic(), setTimer, sleep };
}
