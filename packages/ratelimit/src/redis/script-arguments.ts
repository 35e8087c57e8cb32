import { placeNameOf, type Limit } from '../algorithms/limit.ts';

/**
 * What follows the subject in the key of each limit. Names hold no braces, and the subject's are escaped, so that no two pairs of
 * name and subject make one key. A limit that was given no name goes by its place, which stays when its numbers change.
 */
export function suffixesOf(name: string, limits: readonly Limit[]): readonly string[] {
  return limits.map((limit, i) => `}:${name}:${placeNameOf(limit, i).replaceAll(':', '%3a')}:${limit.kind}`);
}

/** What the general script needs to know of a limit. */
export function argumentsOf({ kind, width, capacity, parameters }: Limit): readonly string[] {
  const padded = [0, 1, 2, 3].map((i) => parameters[i] ?? 0);
  return [kind, ...[width, capacity, ...padded].map(String)];
}

/** What the script for a single token bucket needs to know of it; undefined for other limits. */
export function bucketArgumentsOf(limits: readonly Limit[]): readonly string[] | undefined {
  const [limit, ...others] = limits;
  if (limit?.kind !== 'tokenBucket' || others.length > 0) return undefined;
  return [...limit.parameters, Math.max(limit.limit, limit.capacity)].map(String);
}
