import type { Random } from '@macadam/core';

/** Draws an index with a probability in proportion to its weight, in constant time. */
export type Sampler = (random: Random) => number;

/** Scales weights to a mean of 1: only their ratios matter. */
export function relativeWeights(weights: readonly number[]): readonly number[] {
  // Divided by the largest first: the sum of huge weights would overflow.
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const mean = weights.reduce((sum, weight) => sum + weight / largest, 0) / weights.length;
  return weights.map((weight) => weight / largest / mean);
}

/** Uses the alias method (Vose, 1991), and a plain draw when all weights are equal. */
export function createSampler(weights: readonly number[]): Sampler {
  const size = weights.length;
  if (weights.every((weight) => weight === weights[0])) return (random) => Math.floor(random() * size);
  const scaled = [...relativeWeights(weights)];
  const probability = new Float64Array(size).fill(1);
  const alias = new Uint32Array(size).map((_, i) => i);
  const small = [...scaled.keys()].filter((i) => (scaled[i] as number) < 1);
  const large = [...scaled.keys()].filter((i) => (scaled[i] as number) >= 1);
  while (small.length > 0 && large.length > 0) {
    const below = small.pop() as number;
    const above = large.at(-1) as number;
    probability[below] = scaled[below] as number;
    alias[below] = above;
    scaled[above] = (scaled[above] as number) - (1 - (scaled[below] as number));
    if ((scaled[above] as number) < 1) small.push(large.pop() as number);
  }
  return (random) => {
    const at = random() * size;
    const i = Math.floor(at);
    return at - i < (probability[i] as number) ? i : (alias[i] as number);
  };
}
