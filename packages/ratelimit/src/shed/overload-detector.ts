/**
 * Decides once per window whether the server is overloaded: by the mean wait in the queue, the signals of the process, and
 * the `isOverloaded` of the options. Remembers the latest sign of overload, for the errors of what is rejected because of
 * it.
 */
import type { OverloadSignal } from '../errors.ts';
import type { LoadShedderSettings } from './options.ts';
import { findExceeded, ProcessSignals, type SignalSource } from './signals.ts';

export class OverloadDetector {
  readonly #settings: LoadShedderSettings;
  readonly #source: SignalSource | undefined;
  /** Waits in this window. */
  #waits = 0;
  #waitedMs = 0;
  #signal: OverloadSignal | undefined;
  #value = 0;
  #threshold = 0;

  constructor(settings: LoadShedderSettings) {
    this.#settings = settings;
    this.#source = settings.signals && new ProcessSignals(settings.signals);
  }

  /** The latest sign of overload; undefined when there was none. */
  get signal(): OverloadSignal | undefined {
    return this.#signal;
  }

  /** The latest sign of overload in words, with its value and threshold. */
  describe(): string {
    if (this.#signal === 'isOverloaded') return 'isOverloaded() returned true';
    return `${this.#signal} was ${rounded(this.#value)}, above ${this.#threshold}`;
  }

  recordWait(ms: number): void {
    this.#waits++;
    this.#waitedMs += ms;
  }

  /**
   * Ends the window. If the server was idle, its earlier waits are outdated. The signals are read all the same: an event
   * loop that was blocked looks idle as well.
   */
  isOverloaded(wasIdle: boolean): boolean {
    const meanMs = wasIdle || this.#waits === 0 ? 0 : this.#waitedMs / this.#waits;
    this.#waits = this.#waitedMs = 0;
    const { overloadedAboveMs, signals } = this.#settings;
    // Read in every window, since each reading covers the time since the previous one.
    const readings = this.#source?.read() ?? {};
    if (meanMs > overloadedAboveMs) return this.#remember('queueDelayMs', meanMs, overloadedAboveMs);
    const exceeded = signals && findExceeded(signals, readings);
    if (signals !== undefined && exceeded !== undefined) {
      return this.#remember(exceeded, readings[exceeded] as number, signals[exceeded] as number);
    }
    return this.#askOption() && this.#remember('isOverloaded', 1, 0);
  }

  close(): void {
    this.#source?.close();
  }

  /** Calls the `isOverloaded` of the options. A broken gauge must not reject the work of the request that reads it. */
  #askOption(): boolean {
    try {
      return this.#settings.isOverloaded();
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : `isOverloaded threw ${typeof error}`);
      return false;
    }
  }

  #remember(signal: OverloadSignal, value: number, threshold: number): true {
    this.#signal = signal;
    this.#value = value;
    this.#threshold = threshold;
    return true;
  }
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
