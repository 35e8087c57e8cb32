/**
 * Decides which requests are admitted during overload, gradually and by priority. After DAGOR, the overload control of
 * WeChat (Zhou et al., SoCC 2018): each request has a level, made of its priority and its user, and a cursor is the
 * highest level that is admitted. At the end of each window the cursor moves, using the number of requests at each
 * level, so that about 5 % fewer are admitted after overload, and 1 % more otherwise. Unlike DAGOR, the increase doubles
 * with each window in a row without overload: otherwise low priorities would be rejected for a minute after a spike.
 */
import { priorities, type Priority } from '@macadam/core';

const USER_LEVELS = 128;
const LEVELS = priorities.length * USER_LEVELS;
const DECREASE = 0.05;
const INITIAL_INCREASE = 0.01;
const MAX_INCREASE = 0.64;
const WINDOW_MS = 1_000;
const WINDOW_REQUESTS = 2_000;
const HOUR_MS = 3_600_000;

export class AdmissionLevel {
  readonly #counts = new Uint32Array(LEVELS);
  #cursor = LEVELS - 1;
  #arrived = 0;
  #admitted = 0;
  #increase = INITIAL_INCREASE;
  #windowEndsAt = -Infinity;

  /** Ratio of the levels that are admitted, 0 to 1. */
  get share(): number {
    return (this.#cursor + 1) / LEVELS;
  }

  /** Counts a request of this level, and returns whether it is admitted. */
  admit(level: number): boolean {
    this.#arrived++;
    this.#counts[level] = (this.#counts[level] as number) + 1;
    const admitted = level <= this.#cursor;
    if (admitted) this.#admitted++;
    return admitted;
  }

  /**
   * Ends the window when its time is over or it has enough requests, and moves the cursor. Calls `isOverloaded` only then,
   * with whether the server was idle: no request came for a whole window, so earlier measurements are outdated.
   */
  endWindow(now: number, isOverloaded: (wasIdle: boolean) => boolean): void {
    if (this.#windowEndsAt === -Infinity) this.#windowEndsAt = now + WINDOW_MS;
    if (now < this.#windowEndsAt && this.#arrived < WINDOW_REQUESTS) return;
    const wasIdle = now - this.#windowEndsAt >= WINDOW_MS;
    if (wasIdle) this.#resetCounts();
    if (isOverloaded(wasIdle)) this.#lower();
    else this.#raise();
    this.#resetCounts();
    this.#windowEndsAt = now + WINDOW_MS;
  }

  #resetCounts(): void {
    this.#counts.fill(0);
    this.#arrived = this.#admitted = 0;
  }

  #lower(): void {
    this.#increase = INITIAL_INCREASE;
    const target = this.#admitted * (1 - DECREASE);
    let admitted = this.#admitted;
    // The highest priority is always admitted here. Too much of it is rejected by the concurrency limit.
    while (admitted > target && this.#cursor >= USER_LEVELS) {
      admitted -= this.#counts[this.#cursor] as number;
      this.#cursor--;
    }
  }

  /** Admits everything after a window without requests. */
  #raise(): void {
    const target = this.#admitted * (1 + this.#increase);
    this.#increase = Math.min(MAX_INCREASE, this.#increase * 2);
    let admitted = this.#admitted;
    while (this.#cursor < LEVELS - 1) {
      this.#cursor++;
      admitted += this.#counts[this.#cursor] as number;
      if (admitted > target) break;
    }
  }
}

/** The level of a request without a tenant: a random one of its priority. `draw` is from 0 to below 1. */
export function randomLevel(priority: Priority, draw: number): number {
  return priorities.indexOf(priority) * USER_LEVELS + Math.floor(draw * USER_LEVELS);
}

/**
 * The level of a request of a user. A hash orders the users of one priority, so that each user is either served or
 * rejected, instead of half the requests of everybody. It changes every hour, so that not the same users are always
 * rejected. Users that used more than an equal share of the recent time come after those that did not.
 *
 * @param excess - from 0 (at most an equal share) to 1
 */
export function levelOf(priority: Priority, user: string, epochMs: number, excess = 0): number {
  let hash = 0x811c9dc5 ^ Math.floor(epochMs / HOUR_MS);
  for (let i = 0; i < user.length; i++) hash = Math.imul(hash ^ user.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const userLevel = ((hash ^ (hash >>> 13)) >>> 0) % USER_LEVELS;
  return priorities.indexOf(priority) * USER_LEVELS + Math.floor(userLevel + (USER_LEVELS - 1 - userLevel) * excess);
}
