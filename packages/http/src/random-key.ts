import { randomUUID } from 'node:crypto';
import type { Random } from '@macadam/core';

/** Where keys and boundaries get their chance from. */
export interface RandomKeySource {
  readonly random: Random;
  /** Whether `random` was handed in. */
  readonly hasCustomRandom: boolean;
}

/** A key of 122 random bits; from the injected source when there is one, so that a simulation repeats itself. */
export function randomKey({ random, hasCustomRandom }: RandomKeySource): string {
  if (!hasCustomRandom) return randomUUID();
  let key = '';
  for (let i = 0; i < 32; i++) key += Math.floor(random() * 16).toString(16);
  return key;
}
