import type { Random } from '@macadam/core';

/** Draws an index with a probability in proportion to its weight, in the same time for ten and for ten thousand. */
export type Sampler = (random: Random) => number;

/** What each weight is to the others, which is all it says: their mean is 1. */
export function relativeWeights(weights: readonly number[]): readonly number[] {
  // By the largest first: the sum of huge ones would be infinite.
  const largest = weights.reduce((most, weight) => Math.max(most, weight), 0);
  const mean = weights.reduce((sum, weight) => sum + weight / largest, 0) / weights.length;
  return weights.map((weight) => weight / largest / mean);
}

/** With weights by the alias method (Vose, 1991); without, evenly. */
export function sampler(weights: readonly number[]): Sampler {
  const size = weights.length;
  if (weights.every((weight) => weight === weights[0])) return (random) => Math.floor(random() * size);
  const scaled = [...relativeWeights(weights)];
  const probability = new Float64Array(size).fill(1);
  const alias = new Uint32Array(size).map((_, i) => i);
  const small = [...scaled.keys()].filter((i) => (scaled[i] as number) < 1);
  const large = [...scaled.keys()].filter((i) => (scaled[i] as number) >= 1);
  while (small.length > 0 && large.length > 0) {
    const less = small.pop() as number;
    const more = large.at(-1) as number;
    probability[less] = scaled[less] as number;
    alias[less] = more;
    scaled[more] = (scaled[more] as number) - (1 - (scaled[less] as number));
    if ((scaled[more] as number) < 1) small.push(large.pop() as number);
  }
  return (random) => {
    const at = random() * size;
    const i = Math.floor(at);
    return at - i < (probability[i] as number) ? i : (alias[i] as number);
  };
}
