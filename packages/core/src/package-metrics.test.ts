import { stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { connectMetrics, type MeterLike, PackageMetrics, type StatsMetric } from './index.ts';

type Stats = Readonly<Record<string, number>>;

/** A meter provider that stands in for an SDK. */
function recordingProvider() {
  const made: string[] = [];
  const recorded: [string, number, unknown][] = [];
  const callbacks: ((result: { observe(metric: never, value: number, attributes?: object): void }) => void)[] = [];
  const instrument = (kind: string) => (name: string) => {
    made.push(`${kind} ${name}`);
    return { name, record: (value: number, attributes?: unknown) => void recorded.push([name, value, attributes]) };
  };
  const meter: MeterLike = {
    createHistogram: instrument('histogram'),
    createObservableCounter: instrument('counter'),
    createObservableGauge: instrument('gauge'),
    addBatchObservableCallback: (callback) => void callbacks.push(callback as never),
  };
  const collect = (): [string, number, unknown][] => {
    const points: [string, number, unknown][] = [];
    const observe = (metric: { name: string }, value: number, attributes?: object) =>
      void points.push([metric.name, value, attributes]);
    for (const callback of callbacks) callback({ observe: observe as never });
    return points;
  };
  return { getMeter: () => meter, meter, made, recorded, collect };
}

const idle = recordingProvider();
const table: readonly StatsMetric<Stats>[] = [
  {
    name: 'calls',
    kind: 'counter',
    unit: '{call}',
    description: 'Calls',
    reads: [
      ['good', { outcome: 'success' }],
      [(stats) => stats['bad'], { outcome: 'failure' }],
    ],
  },
  { name: 'state', kind: 'gauge', unit: '1', description: 'State', of: 'breaker', reads: 'state', merge: 'max' },
];

function metricsOf(provider: () => { getMeter(name: string): MeterLike }, stats = table): PackageMetrics<Stats> {
  const boundaries = [1, 2];
  const histograms = [
    { name: 'took', kind: 'histogram', unit: 's', description: 'Took', attributes: { a: ['x'] }, boundaries },
  ] as const;
  return new PackageMetrics({ scope: 'test', provider, noop: idle.meter, nameAttribute: 'name', stats, histograms });
}

const counting = (name: string, stats: Stats, kind?: string) => ({
  name,
  ...(kind !== undefined && { kind }),
  stats: () => stats,
});

describe('PackageMetrics', () => {
  it('reads the statistics of all objects, and merges those with the same name by sum or maximum', () => {
    const sdk = recordingProvider();
    const metrics = metricsOf(() => sdk);
    const kept = [
      counting('a', { good: 1, bad: 2, state: 1 }, 'breaker'),
      counting('a', { good: 3, bad: 4, state: 3 }, 'breaker'),
      counting('b', { good: 5, state: 9 }, 'other'),
    ];
    for (const one of kept) metrics.observe(one);
    expect(sdk.made).toEqual(['histogram took', 'counter calls', 'gauge state']);
    expect(sdk.collect()).toEqual([
      ['calls', 4, { name: 'a', outcome: 'success' }],
      ['calls', 6, { name: 'a', outcome: 'failure' }],
      ['calls', 5, { name: 'b', outcome: 'success' }],
      ['state', 3, { name: 'a' }],
    ]);
    expect(kept).toHaveLength(3);
  });

  it('creates no instrument without an SDK, and uses an SDK that is registered later for existing objects', () => {
    const sdk = recordingProvider();
    let provider = idle;
    const metrics = metricsOf(() => provider);
    const early = counting('early', { good: 1 });
    metrics.observe(early);
    expect(idle.made).toEqual([]);
    expect(metrics.histogram('took')).toBeUndefined();
    provider = sdk;
    connectMetrics();
    connectMetrics();
    expect(sdk.made).toHaveLength(3);
    expect(sdk.collect()).toEqual([['calls', 1, { name: early.name, outcome: 'success' }]]);
    metrics.histogram('took')?.record(0.5, { a: 'x' });
    expect(sdk.recorded).toEqual([]);
    sdk.collect();
    expect(sdk.recorded).toEqual([['took', 0.5, { a: 'x' }]]);
    metrics.histogram('took')?.record(0.7, { a: 'x' });
    provider = idle;
    expect(metrics.histogram('took')).toBeUndefined();
    expect(sdk.recorded).toHaveLength(2);
  });

  it('connects to another SDK although the one before fails', () => {
    const [broken, sdk] = [recordingProvider(), recordingProvider()];
    broken.meter.createHistogram = () => ({
      record() {
        throw new Error('broken');
      },
    });
    let provider = broken;
    const metrics = metricsOf(() => provider);
    metrics.histogram('took')?.record(0.5);
    provider = sdk;
    metrics.histogram('took')?.record(0.7);
    sdk.collect();
    expect(sdk.recorded).toEqual([['took', 0.7, undefined]]);
  });

  it('passes recordings on at once where no collector can ask for them', () => {
    const sdk = recordingProvider();
    metricsOf(() => sdk, [])
      .histogram('took')
      ?.record(0.5, { a: 'x' });
    expect(sdk.recorded).toEqual([['took', 0.5, { a: 'x' }]]);
    expect(sdk.collect()).toEqual([]);
  });

  it('does not keep an object alive, even if its reader refers to it', async () => {
    const sdk = recordingProvider();
    const metrics = metricsOf(() => sdk);
    (() => {
      const owner = counting('short-lived', { good: 1, state: 1 }, 'breaker');
      metrics.observe(owner);
      const other = counting('short-lived too', { good: 1, state: 1 }, 'breaker');
      metrics.observeAll(other, () => [other]);
    })();
    expect(sdk.collect()).toHaveLength(4);
    // A WeakRef keeps its target alive until the end of the current turn of the event loop.
    await stat(import.meta.filename);
    globalThis.gc!();
    const states = sdk.collect().filter(([name]) => name === 'state');
    expect(states).toEqual([]);
  });

  it('keeps the counts of objects that no longer exist, since a counter must not decrease', async () => {
    const sdk = recordingProvider();
    const metrics = metricsOf(() => sdk);
    const success = (name: string, value: number) => ['calls', value, { name, outcome: 'success' }];
    const kept = counting('a', { good: 1 });
    metrics.observe(kept);
    (() => metrics.observe(counting('a', { good: 50 })))();
    expect(sdk.collect()).toEqual([success('a', 51)]);
    await stat(import.meta.filename);
    globalThis.gc!();
    expect(sdk.collect()).toEqual([success('a', 51)]);
    // What a reader no longer returns was evicted; what returns with a lower value is another object.
    const owner = {};
    let listed = [counting('b', { good: 5 }), counting('b', { good: 2 }), counting('c', { good: 3 })];
    metrics.observeAll(owner, () => listed);
    const totals = () => sdk.collect().map(([, value]) => value);
    expect(totals()).toEqual([51, 7, 3]);
    listed = [counting('c', { good: 1 })];
    expect(totals()).toEqual([51, 7, 4]);
    listed = [counting('c', { good: 2 })];
    expect(totals()).toEqual([51, 7, 5]);
    listed = [];
    expect(totals()).toEqual([51, 7, 5]);
    expect(kept.name).toBe('a');
  });

  it('counts what was evicted as `_other` only once', () => {
    const sdk = recordingProvider();
    const metrics = metricsOf(() => sdk);
    for (let i = 0; i < 1_000; i++) metrics.boundedName(`name-${i}`);
    let first = 0;
    const listed = () => [0, 1, 2].map((i) => counting(`key-${first + i}`, { good: 10 }));
    const owner = {};
    metrics.observeAll(owner, listed);
    const totals = [];
    for (; first < 5; first++) totals.push(sdk.collect()[0]?.[1]);
    expect(totals).toEqual([30, 40, 50, 60, 70]);
  });

  it('T24: limits a million names to 1,000 series and one for the others', () => {
    const sdk = recordingProvider();
    const metrics = metricsOf(() => sdk);
    const owner = {};
    const stats = { good: 1 };
    function* million() {
      for (let i = 0; i < 1_000_000; i++) yield { name: `user-${i}`, stats: () => stats };
    }
    metrics.observeAll(owner, million);
    const points = sdk.collect();
    expect(points).toHaveLength(1_001);
    expect(points.at(-1)).toEqual(['calls', 999_000, { name: '_other', outcome: 'success' }]);
  });

  it('describes its metrics with the bound of each attribute', () => {
    expect(metricsOf(() => idle).descriptions).toEqual([
      {
        name: 'calls',
        kind: 'counter',
        unit: '{call}',
        description: 'Calls',
        attributes: { name: expect.stringContaining('1,000'), outcome: ['success', 'failure'] },
      },
      {
        name: 'state',
        kind: 'gauge',
        unit: '1',
        description: 'State',
        attributes: { name: expect.stringContaining('1,000') },
      },
      { name: 'took', kind: 'histogram', unit: 's', description: 'Took', attributes: { a: ['x'] } },
    ]);
  });
});
