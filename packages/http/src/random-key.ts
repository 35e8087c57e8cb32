import { randomUUID } from 'node:crypto';
import type { Random } from '@macadam/core';

/** The source of idempotency keys and multipart boundaries. */
export interface RandomKeySource {
  readonly random: Random;
  /** Whether `random` is a source that the user provided. */
  readonly hasCustomRandom: boolean;
}

/** A key of at least 122 random bits; from the provided source if there is one, so that a simulation is repeatable. */
export function randomKey({ random, hasCustomRandom }: RandomKeySource): string {
  if (!hasCustomRandom) return randomUUID();
  let key = '';
  for (let i = 0; i < 32; i++) key += Math.floor(random() * 16).toString(16);
  return key;
}
