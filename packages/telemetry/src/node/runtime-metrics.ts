/* eslint-disable no-restricted-imports -- Measures the process itself, which no injected clock describes. */
import { constants, monitorEventLoopDelay, performance, PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics } from 'node:v8';
/* eslint-enable no-restricted-imports */
import type { Meter, Observable } from '@opentelemetry/api';
import { DELAY_METRICS, type GC_TYPES, METRICS, createObservable } from '../instruments.ts';

// Names, units and buckets of the semantic conventions for Node.js and V8.
// https://opentelemetry.io/docs/specs/semconv/runtime/nodejs-metrics/

const RESOLUTION_MS = 10;
const NANOS = 1e9;
const GC_KINDS: Readonly<Record<number, (typeof GC_TYPES)[number]>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** Measures event-loop delay and utilisation, garbage collections and heap. Returns a function that stops it. */
export function observeRuntime(meter: Meter): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const delays = DELAY_METRICS.map((one) => createObservable(meter, one));
  const utilization = createObservable(meter, METRICS.utilization);
  const heapUsed = createObservable(meter, METRICS.heapUsed);
  const heapLimit = createObservable(meter, METRICS.heapLimit);
  const { name, unit, description } = METRICS.collections;
  const collections = meter.createHistogram(name, {
    unit,
    description,
    advice: { explicitBucketBoundaries: [0.01, 0.1, 1, 10] },
  });

  let previous = performance.eventLoopUtilization();
  const observables: Observable[] = [...delays, utilization, heapUsed, heapLimit];
  const read = (result: {
    observe(metric: Observable, value: number, attributes?: Record<string, string>): void;
  }): void => {
    const values = [
      ...[delay.min, delay.max, delay.mean, delay.stddev],
      ...[50, 90, 99].map((percentile) => delay.percentile(percentile)),
    ];
    // Without samples, `min` is a huge number and `mean` is NaN.
    if (delay.count > 0) delays.forEach((gauge, i) => result.observe(gauge, (values[i] ?? 0) / NANOS));
    delay.reset();
    const now = performance.eventLoopUtilization();
    result.observe(utilization, performance.eventLoopUtilization(now, previous).utilization);
    previous = now;
    for (const space of getHeapSpaceStatistics()) {
      const attributes = { 'v8js.heap.space.name': space.space_name };
      result.observe(heapUsed, space.space_used_size, attributes);
      result.observe(heapLimit, space.space_size, attributes);
    }
  };
  meter.addBatchObservableCallback(read, observables);

  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = (entry as { detail?: { kind?: number } }).detail?.kind ?? 0;
      collections.record(entry.duration / 1_000, { 'v8js.gc.type': GC_KINDS[kind] ?? 'other' });
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => {
    observer.disconnect();
    delay.disable();
    meter.removeBatchObservableCallback(read, observables);
  };
}
