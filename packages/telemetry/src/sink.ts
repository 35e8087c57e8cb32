import { writeSync } from 'node:fs';
import type { Clock, Timer } from '@macadam/core';
import { Alarm } from './alarm.ts';
import { DescriptorOutput, type LineOutput, type WriteResult } from './descriptor-output.ts';
import { guardExit, releaseExit } from './exit-guard.ts';
import { LineQueue } from './line-queue.ts';
import { ObjectOutput } from './object-output.ts';
import type { LineDestination } from './options.ts';
import { lineTotals } from './line-totals.ts';

/** Takes finished lines; never throws. */
export interface LineSink {
  readonly description: string;
  write(line: string, level: number): void;
  flush(): Promise<void>;
  close(): Promise<void>;
  stats(): SinkStats;
}

/** What the destination of a logger has counted. */
export interface SinkStats {
  /** Lines lost because the destination did not take them. */
  readonly dropped: number;
  /** Bytes that wait for the destination now. */
  readonly backlogBytes: number;
}

const RETRY_MS = 10;
/** Longest wait of `flush`, and of the process at its end. */
const FLUSH_MS = 1_000;
/** How long a fatal line may hold up the process: it is often the last. */
const FATAL_MS = 200;
const FATAL = 5;
const STDERR = 2;
const pause = new Int32Array(new SharedArrayBuffer(4));

/** Hands lines over as they come; keeps them, within a limit, while the destination takes no more. */
export class BacklogSink implements LineSink {
  readonly description: string;
  /** Called when lines are taken again after some were dropped. */
  onRecovered: ((dropped: number) => void) | undefined;
  readonly #output: LineOutput;
  readonly #clock: Clock;
  readonly #queue: LineQueue;
  readonly #quiet: boolean;
  readonly #trouble: Alarm;
  #state: 'open' | 'stuck' | 'broken' | 'closed' = 'open';
  #lost = 0;
  #reported = 0;
  #timer: Timer | undefined;
  #waiting: (() => void)[] = [];

  constructor(destination: number | string | LineDestination, clock: Clock, maxBacklogBytes: number) {
    this.#output = typeof destination === 'object' ? new ObjectOutput(destination) : new DescriptorOutput(destination);
    this.description = this.#output.description;
    this.#clock = clock;
    this.#queue = new LineQueue(maxBacklogBytes);
    this.#quiet = destination === STDERR;
    this.#trouble = new Alarm((message) => this.#notice(message), clock);
  }

  write(line: string, level: number): void {
    if (this.#state === 'open') this.#after(this.#attempt(line));
    else if (this.#state === 'stuck') this.#keep(line, level);
    else this.#lose(1);
    if (level === FATAL && this.#state === 'stuck') this.#drain(FATAL_MS);
  }

  flush(): Promise<void> {
    if (this.#state !== 'stuck') return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.setTimer(resolve, FLUSH_MS);
      this.#waiting.push(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  async close(): Promise<void> {
    await this.flush();
    if (this.#state === 'closed') return;
    const lost = this.#state === 'stuck' ? this.#giveUp() : 0;
    this.#settle('closed');
    if (lost > 0) this.#noticeLast(lost);
    this.#output.close();
  }

  stats(): SinkStats {
    return { dropped: this.#lost + this.#queue.dropped, backlogBytes: this.#queue.bytes };
  }

  /** The process ends: waits for the reader, but not for ever. */
  finish(): void {
    this.#drain(FLUSH_MS);
  }

  abandon(): void {
    if (this.#state === 'stuck') this.#noticeLast(this.#queue.length + 1);
  }

  #attempt(line: string): WriteResult {
    try {
      const result = this.#output.write(line);
      if (result === 'later') this.#held(line);
      return result;
    } catch {
      this.#lose(1);
      return 'done';
    }
  }

  #after(result: WriteResult): void {
    if (result === 'done') return;
    if (result === 'broken') {
      this.#break();
      return;
    }
    this.#state = 'stuck';
    guardExit(this);
    this.#retryLater();
  }

  /** The output has a line that it could not hand over yet. */
  #held(line: string): void {
    this.#queue.hold(Buffer.byteLength(line));
    this.#checkTrouble();
  }

  /** A full disk looks like a slow reader, but nobody is there to read on. */
  #checkTrouble(): void {
    const { trouble } = this.#output;
    if (trouble !== undefined) this.#trouble.raise(trouble, `takes no lines (${trouble}): they wait`);
  }

  #keep(line: string, level: number): void {
    const before = this.#queue.dropped;
    this.#queue.push(line, level);
    const dropped = this.#queue.dropped - before;
    lineTotals.dropped += dropped;
    if (dropped > 0 && before === 0) this.#notice('takes no more lines: the oldest are dropped');
  }

  #retryLater(): void {
    this.#timer = this.#clock.setTimer(() => {
      if (!this.#resume()) this.#retryLater();
    }, RETRY_MS);
    // The log alone does not keep a process alive: the guard writes the rest at the exit.
    this.#timer.unref?.();
  }

  /** Goes on where it stood. Whether there is nothing left to wait for. */
  #resume(): boolean {
    if (this.#state !== 'stuck') return true;
    let result = this.#output.resume();
    if (result === 'later') this.#checkTrouble();
    while (result === 'done') {
      this.#queue.hold(0);
      const line = this.#queue.shift();
      if (line === undefined) {
        this.#settle('open');
        this.#trouble.clear();
        this.#report();
        return true;
      }
      result = this.#attempt(line);
    }
    if (result === 'later') return false;
    this.#break();
    return true;
  }

  /** Counts pauses instead of looking at the clock, which may be a virtual one. */
  #drain(limitMs: number): void {
    for (let waitedMs = 0; !this.#resume() && waitedMs < limitMs; waitedMs += RETRY_MS) {
      Atomics.wait(pause, 0, 0, RETRY_MS);
    }
  }

  /** What waits is lost: the line that the output holds, and those in the queue. How many they are. */
  #giveUp(): number {
    this.#queue.hold(0);
    this.#lose(1);
    const before = this.#queue.dropped;
    this.#queue.clear();
    const dropped = this.#queue.dropped - before;
    lineTotals.dropped += dropped;
    return 1 + dropped;
  }

  #break(): void {
    this.#giveUp();
    this.#settle('broken');
    this.#notice('is gone: lines are counted and dropped');
  }

  #settle(state: 'open' | 'broken' | 'closed'): void {
    this.#state = state;
    this.#timer?.cancel();
    releaseExit(this);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const done of waiting) done();
  }

  #lose(lines: number): void {
    this.#lost += lines;
    lineTotals.dropped += lines;
  }

  #report(): void {
    const { dropped } = this.stats();
    if (dropped === this.#reported) return;
    const lines = dropped - this.#reported;
    this.#reported = dropped;
    this.onRecovered?.(lines);
  }

  #noticeLast(lines: number): void {
    this.#notice(`has not taken the last ${lines === 1 ? 'line' : `${lines} lines`}`);
  }

  /** Where an operator may still see it. */
  #notice(what: string): void {
    if (this.#quiet) return;
    try {
      writeSync(STDERR, `The log destination (${this.description}) ${what}.\n`);
    } catch {
      // Nobody is left to be told.
    }
  }
}
