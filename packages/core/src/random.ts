/** A source of randomness: returns a number in [0, 1), like `Math.random`. */
export type Random = () => number;

/** The source of randomness of the runtime, `Math.random`. Not for secrets. */
export const systemRandom: Random = () => Math.random();
