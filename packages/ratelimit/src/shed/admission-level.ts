/**
 * Who is let in while there is too much work: gradually, the least important first. After DAGOR, WeChat's overload control
 * (Zhou et al., SoCC 2018): each request has a level, made of its priority and of its user; a cursor says up to which level
 * requests are admitted. At the end of each window the cursor moves so that about 5 % fewer are admitted when there was
 * overload, and 1 % more when there was none, judged by how many came at each level. Unlike there, the step doubles with
 * each window without overload in a row: a spike that is over must not cost the less important a minute.
 */
import { priorities, type Priority } from '@macadam/core';

const USER_LEVELS = 128;
const LEVELS = priorities.length * USER_LEVELS;
const CUT = 0.05;
const REGAIN = 0.01;
const MOST_REGAIN = 0.64;
const WINDOW_MS = 1_000;
const WINDOW_REQUESTS = 2_000;
const HOUR_MS = 3_600_000;

export class AdmissionLevel {
  readonly #counts = new Uint32Array(LEVELS);
  #cursor = LEVELS - 1;
  #came = 0;
  #admitted = 0;
  #regain = REGAIN;
  #windowEndsAt = -Infinity;

  /** The share of levels that is admitted, 0 to 1. */
  get share(): number {
    return (this.#cursor + 1) / LEVELS;
  }

  /** Counts a request and says whether it may come in. */
  admit(level: number): boolean {
    this.#came++;
    this.#counts[level] = (this.#counts[level] as number) + 1;
    const admitted = level <= this.#cursor;
    if (admitted) this.#admitted++;
    return admitted;
  }

  /**
   * Closes the window when it is over. `overloaded` is asked only then, and told whether there was a rest: a whole window in
   * which nobody came, so that what was counted before tells of another time.
   */
  turn(now: number, overloaded: (rested: boolean) => boolean): void {
    if (this.#windowEndsAt === -Infinity) this.#windowEndsAt = now + WINDOW_MS;
    if (now < this.#windowEndsAt && this.#came < WINDOW_REQUESTS) return;
    const rested = now - this.#windowEndsAt >= WINDOW_MS;
    if (rested) this.#forget();
    if (overloaded(rested)) this.#lower();
    else this.#raise();
    this.#forget();
    this.#windowEndsAt = now + WINDOW_MS;
  }

  #forget(): void {
    this.#counts.fill(0);
    this.#came = this.#admitted = 0;
  }

  #lower(): void {
    this.#regain = REGAIN;
    const target = this.#admitted * (1 - CUT);
    let admitted = this.#admitted;
    // The most important class is never shut out by its own load: that is for the limit on concurrency to say.
    while (admitted > target && this.#cursor >= USER_LEVELS) {
      admitted -= this.#counts[this.#cursor] as number;
      this.#cursor--;
    }
  }

  /** All the way when nobody came. */
  #raise(): void {
    const target = this.#admitted * (1 + this.#regain);
    this.#regain = Math.min(MOST_REGAIN, this.#regain * 2);
    let admitted = this.#admitted;
    while (this.#cursor < LEVELS - 1) {
      this.#cursor++;
      admitted += this.#counts[this.#cursor] as number;
      if (admitted > target) break;
    }
  }
}

/** The level of a request of nobody: any of its class. */
export function anyLevel(priority: Priority, draw: number): number {
  return priorities.indexOf(priority) * USER_LEVELS + Math.floor(draw * USER_LEVELS);
}

/**
 * The level of a request. Users of one class are told apart by a hash that changes each hour, so that it is not always the
 * same ones who are refused, and each of them is either served or not, instead of everybody half. Who used more than an equal
 * share of the recent time comes after those who did not.
 *
 * @param excess - from 0, no more than an equal share, to 1
 */
export function levelOf(priority: Priority, user: string, epochMs: number, excess = 0): number {
  let hash = 0x811c9dc5 ^ Math.floor(epochMs / HOUR_MS);
  for (let i = 0; i < user.length; i++) hash = Math.imul(hash ^ user.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const own = ((hash ^ (hash >>> 13)) >>> 0) % USER_LEVELS;
  return priorities.indexOf(priority) * USER_LEVELS + Math.floor(own + (USER_LEVELS - 1 - own) * excess);
}
