/** The format of the general script: the names of its keys, its arguments per limit, and its reply. */
import { identityOf, type Limit } from '../algorithms/limit.ts';

/**
 * The part of the Redis key of each limit after the subject. Limiter names have no braces, and those of the subject are
 * escaped, so that different names or subjects never share a key. A limit without a name is identified by its position,
 * which does not change with its numbers.
 */
export function keySuffixes(name: string, limits: readonly Limit[]): readonly string[] {
  return limits.map((limit, i) => `}:${name}:${identityOf(limit, i).replaceAll(':', '%3a')}:${limit.kind}`);
}

/** The same part of the key of a block. It has no kind, so that it is the key of no limit. */
export function blockSuffix(name: string): string {
  return `}:${name}:!blocked`;
}

/** The arguments for one limit. `asCounter`: whether a fixed window is stored in the form that `INCREX` counts. */
export function limitArguments({ kind, width, capacity, parameters }: Limit, asCounter: boolean): readonly string[] {
  const defaults = [0, 0, 0, asCounter && kind === 'fixedWindow' ? 1 : 0];
  return [kind, ...[width, capacity, ...defaults.map((value, i) => parameters[i] ?? value)].map(String)];
}

/** The reply for one subject. */
export interface Reply {
  /** `1` done, `0` not done, `2` done although it would have been denied: see the script. */
  readonly done: string;
  readonly now: number;
  readonly blockedUntil: number;
  /** What was granted, or the wait for a reservation. */
  readonly value: number;
  /** The state under each limit before the operation. */
  readonly states: readonly number[][];
}

export function parseReply(text: string): Reply {
  const [done = '0', now, blockedUntil, value, ...states] = text.split('|');
  return {
    done,
    now: Number(now),
    blockedUntil: Number(blockedUntil),
    value: Number(value),
    states: states.map((state) => (state === '' ? [] : state.split(' ').map(Number))),
  };
}

/** Percent-encodes braces, colons, percent signs and lone surrogates (which would all be equal in UTF-8). Injective. */
export function escapeKey(text: string): string {
  return SPECIAL.test(text) ? text.replace(EACH_SPECIAL, (one) => `%${one.charCodeAt(0).toString(16)}`) : text;
}

const SPECIAL = /[%:{}\p{Cs}]/u;
const EACH_SPECIAL = new RegExp(SPECIAL, 'gu');
