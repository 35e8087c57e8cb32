/**
 * Signs of overload of the process that a queue cannot show: an event loop that is late or never idle, a container that is
 * throttled because its CPU quota is used up, memory that runs out. Read when a request comes and a second, or 2 000
 * requests, have passed since the last reading.
 */
// eslint-disable-next-line no-restricted-imports -- delay and utilization can only be measured on the real event loop
import { monitorEventLoopDelay, performance, type EventLoopUtilization, type IntervalHistogram } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { assertDurationMs, assertKnownOptions, assertNumber, assertObject } from '@macadam/core';
import { readContainer, type ContainerReading } from './cgroup.ts';

/** Readings above which the process counts as overloaded. `false` ignores a reading. */
export interface SignalOptions {
  /**
   * Mean delay of the event loop within a second, in milliseconds, above 0. One pause in an otherwise idle second, such
   * as a long garbage collection, is no overload. Default: 70 (toobusy).
   */
  eventLoopDelayMs?: number | false;
  /** Ratio of time in which the event loop was busy, above 0, at most 1. Default: 0.95. */
  eventLoopUtilization?: number | false;
  /** Ratio of scheduling periods in which the container was throttled, above 0, at most 1. Default: 0.25. */
  cpuThrottled?: number | false;
  /** Ratio of the heap limit, or of the memory of the container, that is in use, above 0, at most 1. Default: 0.95. */
  memory?: number | false;
}

export type SignalName = 'cpuThrottled' | 'eventLoopDelayMs' | 'eventLoopUtilization' | 'memory';
export type SignalSettings = Readonly<Record<SignalName, number | false>>;
/** Values since the previous reading. Absent when unknown. */
export type SignalReadings = Readonly<Partial<Record<SignalName, number>>>;

export interface SignalSource {
  read(): SignalReadings;
  close(): void;
}

const DEFAULTS: SignalSettings = {
  eventLoopDelayMs: 70,
  eventLoopUtilization: 0.95,
  cpuThrottled: 0.25,
  memory: 0.95,
};
const NAMES = Object.keys(DEFAULTS) as SignalName[];
const RESOLUTION_MS = 20;

export function signalSettings(path: string, options: SignalOptions): SignalSettings {
  assertObject(path, options);
  assertKnownOptions(path, options, NAMES);
  const settings = { ...DEFAULTS, ...options };
  for (const name of NAMES) {
    const value = settings[name];
    if (value === false) continue;
    if (name === 'eventLoopDelayMs') assertDurationMs(`${path}.${name}`, value);
    else assertNumber(`${path}.${name}`, value, { above: 0, max: 1 });
  }
  return settings;
}

/** Returns the first signal whose reading is above its threshold. */
export function findExceeded(settings: SignalSettings, readings: SignalReadings): SignalName | undefined {
  return NAMES.find((name) => {
    const threshold = settings[name];
    const reading = readings[name];
    return threshold !== false && reading !== undefined && reading > threshold;
  });
}

/** Reads this process and its container. */
export class ProcessSignals implements SignalSource {
  readonly #settings: SignalSettings;
  readonly #delays: IntervalHistogram | undefined;
  #utilization: EventLoopUtilization;
  #container: ContainerReading;

  constructor(settings: SignalSettings) {
    this.#settings = settings;
    // Its timer does not keep the process alive.
    if (settings.eventLoopDelayMs !== false) {
      this.#delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
      this.#delays.enable();
    }
    this.#utilization = performance.eventLoopUtilization();
    this.#container = settings.cpuThrottled === false ? {} : readContainer();
  }

  read(): SignalReadings {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    return { eventLoopUtilization: utilization, ...this.#delay(), ...this.#resources() };
  }

  close(): void {
    this.#delays?.disable();
  }

  #delay(): SignalReadings {
    if (this.#delays === undefined || this.#delays.count === 0) return {};
    const { mean, stddev } = this.#delays;
    this.#delays.reset();
    return { eventLoopDelayMs: Math.max(0, meanWaitMs(mean / 1e6, stddev / 1e6) - meanWaitMs(RESOLUTION_MS, 0)) };
  }

  #resources(): SignalReadings {
    const { cpuThrottled, memory } = this.#settings;
    const before = this.#container;
    const container = cpuThrottled === false && memory === false ? {} : readContainer();
    this.#container = container;
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
    return { ...throttledShare(before, container), memory: Math.max(used / limit, container.memoryShare ?? 0) };
  }
}

/**
 * The mean wait of an event that arrives at a random time for the next turn of the event loop, given the mean and the
 * deviation of the time between turns. Long turns weigh more, since more arrivals fall into them (the inspection paradox).
 */
export function meanWaitMs(meanMs: number, deviationMs: number): number {
  return (meanMs ** 2 + deviationMs ** 2) / (2 * meanMs);
}

/** Ratio of the scheduling periods since `before` in which the container was throttled. */
export function throttledShare(before: ContainerReading, after: ContainerReading): SignalReadings {
  const periods = (after.periods ?? 0) - (before.periods ?? 0);
  if (periods <= 0 || before.throttledPeriods === undefined) return {};
  return { cpuThrottled: ((after.throttledPeriods ?? 0) - before.throttledPeriods) / periods };
}
