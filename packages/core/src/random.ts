/** A source of randomness: a number from 0 (included) to 1 (excluded). */
export type Random = () => number;

/** The random source of the runtime. Not for secrets. */
export const systemRandom: Random = () => Math.random();
