/**
 * Signs of overload that a queue does not see: an event loop that is late or never idle, a container that is stopped for
 * having used up its CPU, memory that runs out. Read once a second, and only while requests come.
 */
// eslint-disable-next-line no-restricted-imports -- how late and how busy the event loop is can only be told by the real one
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
/** What was read since the last time. Absent where nothing is known. */
export type SignalReadings = Readonly<Partial<Record<SignalName, number>>>;

/** Reads the signs. */
export interface Sensors {
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

/** The first reading that is above its limit. */
export function exceeded(settings: SignalSettings, readings: SignalReadings): SignalName | undefined {
  return NAMES.find((name) => {
    const limit = settings[name];
    const reading = readings[name];
    return limit !== false && reading !== undefined && reading > limit;
  });
}

/** Reads this process and its container. */
export class ProcessSensors implements Sensors {
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
 * How long, on average, one who comes at any moment waits for the next turn of the event loop, whose turns are so far apart: long turns
 * are met more often than short ones, and in the middle.
 */
export function meanWaitMs(meanMs: number, deviationMs: number): number {
  return (meanMs ** 2 + deviationMs ** 2) / (2 * meanMs);
}

/** The share of the periods since `before` in which the container was stopped. */
export function throttledShare(before: ContainerReading, after: ContainerReading): SignalReadings {
  const periods = (after.periods ?? 0) - (before.periods ?? 0);
  if (periods <= 0 || before.throttledPeriods === undefined) return {};
  return { cpuThrottled: ((after.throttledPeriods ?? 0) - before.throttledPeriods) / periods };
}
