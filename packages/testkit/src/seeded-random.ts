import { assertInteger, assertText, type Random } from '@macadam/core';

/** A source of randomness whose numbers follow from its seed. */
export interface SeededRandom extends Random {
  /** Returns a uniform number in [0, 1): one of 2^32 values. */
  (): number;
  /**
   * Returns an independent source for `name`. Its numbers depend only on the seed and the name, not on how many were drawn before, so
   * that a new fork does not change the numbers of other parts of a test.
   */
  fork(name: string): SeededRandom;
}

const MASK_64 = (1n << 64n) - 1n;

/**
 * Makes a source of randomness that returns the same numbers for the same seed on every machine. Algorithm: xoshiro128** (Blackman
 * and Vigna, 2018), seeded by SplitMix64. Not for secrets.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) unless `seed` is a safe integer.
 * @example
 * const random = seededRandom(7);
 * const arrivals = random.fork('arrivals');
 */
export function seededRandom(seed: number): SeededRandom {
  assertInteger('seededRandom.seed', seed, { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER });
  return fromSeed(BigInt(seed) & MASK_64);
}

function fromSeed(seed: bigint): SeededRandom {
  const next = splitMix64(seed);
  const low = next();
  const high = next();
  const draw = xoshiro128(
    Number(low & 0xffffffffn),
    Number(low >> 32n),
    Number(high & 0xffffffffn),
    Number(high >> 32n),
  );
  const random = (): number => draw() / 4_294_967_296;
  const fork = (name: string): SeededRandom => {
    assertText('fork.name', name);
    // One round of SplitMix64 on the seed first, so that forks of adjacent seeds are not related.
    return fromSeed(splitMix64(seed)() ^ fnv1a64(name));
  };
  return Object.assign(random, { fork });
}

/** xoshiro128**, version 1.1: 32 bits a draw, period 2^128 - 1. The state must not be all zero. */
export function xoshiro128(a: number, b: number, c: number, d: number): () => number {
  let s0 = a | 0;
  let s1 = b | 0;
  let s2 = c | 0;
  let s3 = d | 0;
  return () => {
    const scrambled = Math.imul(s1, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0;
    const shifted = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= shifted;
    s3 = (s3 << 11) | (s3 >>> 21);
    return result;
  };
}

/** SplitMix64 (Steele, Lea and Flood, 2014): turns any seed, 0 included, into well mixed 64-bit words. */
export function splitMix64(seed: bigint): () => bigint {
  let state = seed;
  return () => {
    state = (state + 0x9e3779b97f4a7c15n) & MASK_64;
    let mixed = state;
    mixed = ((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n) & MASK_64;
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & MASK_64;
    return mixed ^ (mixed >> 31n);
  };
}

/** FNV-1a over the UTF-8 bytes of the text. */
function fnv1a64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text)) {
    hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & MASK_64;
  }
  return hash;
}
