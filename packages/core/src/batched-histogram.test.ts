import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { BatchedHistogram } from './batched-histogram.ts';

type Recording = [value: number, attributes?: Record<string, string | number>, context?: unknown];

function histogramThat(failsAt: (value: number) => boolean = () => false) {
  const recorded: Recording[] = [];
  const record = (...recording: Recording): void => {
    recorded.push(recording);
    if (failsAt(recording[0])) throw new Error(`no ${recording[0]}`);
  };
  return { recorded, batched: new BatchedHistogram({ record }) };
}

describe('BatchedHistogram', () => {
  it('passes recordings on in batches of 16, with their attributes and contexts', () => {
    const { recorded, batched } = histogramThat();
    const recordings = Array.from({ length: 33 }, (_, i): Recording => [i, { a: i }, { of: i }]);
    for (const one of recordings.slice(0, 15)) batched.record(...one);
    expect(recorded).toEqual([]);
    for (const one of recordings.slice(15)) batched.record(...one);
    expect(recorded).toEqual(recordings.slice(0, 32));
    batched.flush();
    batched.flush();
    expect(recorded).toEqual(recordings);
  });

  it('passes the others on when the SDK throws, and throws the first error', () => {
    const { recorded, batched } = histogramThat((value) => value === 1 || value === 2);
    for (const value of [0, 1, 2, 3]) batched.record(value);
    expect(() => batched.flush()).toThrow('no 1');
    expect(recorded.map(([value]) => value)).toEqual([0, 1, 2, 3]);
    batched.flush();
    expect(recorded).toHaveLength(4);
  });

  it('property: every recording is passed on once and in order, whenever it is flushed', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (steps) => {
        const { recorded, batched } = histogramThat();
        steps.forEach((isRecord, i) => (isRecord ? batched.record(i) : batched.flush()));
        batched.flush();
        expect(recorded.map(([value]) => value)).toEqual(steps.flatMap((isRecord, i) => (isRecord ? [i] : [])));
      }),
    );
  });
});
