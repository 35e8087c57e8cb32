import { seededRandom } from '@macadam/testkit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSampler, relativeWeights } from './sampler.ts';

test('property: draws in proportion to the weights', () => {
  const weights = fc.array(fc.double({ min: 0.01, max: 100, noNaN: true }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(weights, fc.integer(), (given, seed) => {
      const random = seededRandom(seed);
      const draw = createSampler(given);
      const drawn = given.map(() => 0);
      for (let i = 0; i < 4_000; i++) drawn[draw(random)]!++;
      const sum = given.reduce((total, weight) => total + weight, 0);
      for (const [i, weight] of given.entries()) {
        const share = weight / sum;
        // Six standard deviations, and six draws more: rare draws have a longer tail than a normal distribution.
        const tolerance = 6 * Math.sqrt((share * (1 - share)) / 4_000) + 6 / 4_000;
        expect(Math.abs(drawn[i]! / 4_000 - share)).toBeLessThanOrEqual(tolerance);
      }
    }),
    {
      numRuns: 50,
      examples: [
        [
          [
            0.01, 0.01, 0.01, 0.01, 0.01, 12.026819495920899, 0.01, 73.41895835509115, 0.01, 0.051, 99.99999999999993,
            0.134,
          ],
          42966906,
        ],
      ],
    },
  );
});

test.each([
  [
    [3, 1],
    [1.5, 0.5],
  ],
  [
    [1e308, 1e308],
    [1, 1],
  ],
  [
    [5e-324, 5e-324],
    [1, 1],
  ],
  [
    [1e308, 5e-324],
    [2, 0],
  ],
])('the relative weights of %j are %j', (weights, relative) => {
  expect(relativeWeights(weights)).toEqual(relative);
});
