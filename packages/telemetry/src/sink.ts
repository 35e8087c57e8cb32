import { writeSync } from 'node:fs';
import type { Clock, Timer } from '@macadam/core';
import { Alarm } from './alarm.ts';
import { DescriptorOutput, type LineOutput, type WriteResult } from './descriptor-output.ts';
import { blockUntil, type ExitTask, registerExitTask, unregisterExitTask } from './exit-guard.ts';
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
/** Maximum wait of `flush`. */
const FLUSH_MS = 1_000;
/** How long a fatal line may block the process: it is often the last. */
const FATAL_MS = 200;
/** The index of `fatal` in `levels`. */
const FATAL = 5;
const STDERR = 2;

/**
 * Writes each line at once. While the output is blocked it queues lines, up to a limit, and retries every `RETRY_MS`.
 *
 * `open`: the output takes lines. `blocked`: the output holds the unwritten rest of a line; later lines are queued.
 * `broken`: nothing can be written any more; lines are counted as dropped. `closed`: the same, by `close()` or at the
 * end of the process.
 */
export class BacklogSink implements LineSink, ExitTask {
  readonly description: string;
  /** Called when the output takes lines again and some were dropped. */
  onRecovered: ((dropped: number) => void) | undefined;
  readonly #output: LineOutput;
  readonly #clock: Clock;
  readonly #queue: LineQueue;
  /** The destination is standard error itself, so there is no other place for warnings. */
  readonly #isStderr: boolean;
  readonly #outputError: Alarm;
  #state: 'open' | 'blocked' | 'broken' | 'closed' = 'open';
  /** Dropped lines that were never in the queue. */
  #droppedUnqueued = 0;
  #droppedReported = 0;
  #timer: Timer | undefined;
  readonly #flushWaiters = new Set<() => void>();

  constructor(destination: number | string | LineDestination, clock: Clock, maxBacklogBytes: number) {
    this.#output = typeof destination === 'object' ? new ObjectOutput(destination) : new DescriptorOutput(destination);
    this.description = this.#output.description;
    this.#clock = clock;
    this.#queue = new LineQueue(maxBacklogBytes);
    this.#isStderr = destination === STDERR;
    this.#outputError = new Alarm((message) => this.#warn(message), clock);
  }

  write(line: string, level: number): void {
    if (this.#state === 'open') this.#handleResult(this.#writeToOutput(line));
    else if (this.#state === 'blocked') this.#enqueue(line, level);
    else this.#countDropped(1);
    if (level === FATAL && this.#state === 'blocked') this.#drainFatal();
  }

  flush(): Promise<void> {
    if (this.#state !== 'blocked') return Promise.resolve();
    return new Promise((resolve) => {
      const waiter = (): void => {
        timer.cancel();
        this.#flushWaiters.delete(waiter);
        resolve();
      };
      const timer = this.#clock.setTimer(waiter, FLUSH_MS);
      this.#flushWaiters.add(waiter);
    });
  }

  async close(): Promise<void> {
    await this.flush();
    if (this.#state === 'closed') return;
    this.#discardAndClose();
    this.#output.close();
  }

  stats(): SinkStats {
    return { dropped: this.#droppedUnqueued + this.#queue.dropped, backlogBytes: this.#queue.bytes };
  }

  resume(): void {
    this.#tryResume();
  }

  abandon(): void {
    this.#discardAndClose();
  }

  #writeToOutput(line: string): WriteResult {
    try {
      const result = this.#output.write(line);
      if (result === 'blocked') {
        this.#queue.setOutputBytes(Buffer.byteLength(line));
        this.#checkOutputError();
      }
      return result;
    } catch {
      this.#countDropped(1);
      return 'written';
    }
  }

  #handleResult(result: WriteResult): void {
    if (result === 'written') return;
    if (result === 'broken') {
      this.#break();
      return;
    }
    this.#state = 'blocked';
    this.#retryLater();
    // Last, since at the end of the process this writes the backlog or gives it up.
    registerExitTask(this);
  }

  /** A full disk blocks the output like a slow reader does, but no reader will continue: an operator must act. */
  #checkOutputError(): void {
    const { errorCode } = this.#output;
    if (errorCode === undefined) return;
    this.#outputError.raise(errorCode, `cannot be written to (${errorCode}): lines are kept in memory until it can`);
  }

  #enqueue(line: string, level: number): void {
    const before = this.#queue.dropped;
    this.#queue.push(line, level);
    const dropped = this.#queue.dropped - before;
    lineTotals.dropped += dropped;
    if (dropped > 0 && before === 0) {
      this.#warn('is blocked and maxBacklogBytes are waiting for it: the oldest lines are dropped');
    }
  }

  #retryLater(): void {
    this.#timer = this.#clock.setTimer(() => {
      if (!this.#tryResume()) this.#retryLater();
    }, RETRY_MS);
    // The log alone does not keep a process alive: the exit guard writes the rest.
    this.#timer.unref?.();
  }

  /** Continues with the line that the output holds, then the queue. False if the output is still blocked. */
  #tryResume(): boolean {
    if (this.#state !== 'blocked') return true;
    let result = this.#output.resume();
    if (result === 'blocked') this.#checkOutputError();
    while (result === 'written') {
      this.#queue.setOutputBytes(0);
      const line = this.#queue.shift();
      if (line === undefined) {
        this.#unblock('open');
        this.#outputError.clear();
        this.#reportDropped();
        return true;
      }
      result = this.#writeToOutput(line);
    }
    if (result === 'blocked') return false;
    this.#break();
    return true;
  }

  /** Drops the line that the output holds and those in the queue; returns how many they were. */
  #discardBacklog(): number {
    this.#queue.setOutputBytes(0);
    this.#countDropped(1);
    const before = this.#queue.dropped;
    this.#queue.clear();
    const dropped = this.#queue.dropped - before;
    lineTotals.dropped += dropped;
    return 1 + dropped;
  }

  #drainFatal(): void {
    blockUntil(() => this.#tryResume(), FATAL_MS);
  }

  #discardAndClose(): void {
    const lost = this.#state === 'blocked' ? this.#discardBacklog() : 0;
    this.#unblock('closed');
    if (lost > 0) this.#warnAboutLastLines(lost);
  }

  #break(): void {
    this.#discardBacklog();
    this.#unblock('broken');
    this.#warn('is closed: all further lines are dropped and counted');
  }

  /** Enters a state in which nothing waits for the output. */
  #unblock(state: 'open' | 'broken' | 'closed'): void {
    this.#state = state;
    this.#timer?.cancel();
    unregisterExitTask(this);
    for (const resolve of this.#flushWaiters) resolve();
  }

  #countDropped(lines: number): void {
    this.#droppedUnqueued += lines;
    lineTotals.dropped += lines;
  }

  #reportDropped(): void {
    const { dropped } = this.stats();
    if (dropped === this.#droppedReported) return;
    const lines = dropped - this.#droppedReported;
    this.#droppedReported = dropped;
    this.onRecovered?.(lines);
  }

  #warnAboutLastLines(lines: number): void {
    this.#warn(`did not take the last ${lines === 1 ? 'line, which is' : `${lines} lines, which are`} lost`);
  }

  /** Writes to standard error, where an operator may still see it. */
  #warn(what: string): void {
    if (this.#isStderr) return;
    try {
      writeSync(STDERR, `The log destination (${this.description}) ${what}.\n`);
    } catch {
      // Standard error takes nothing either; there is no other place to report to.
    }
  }
}
