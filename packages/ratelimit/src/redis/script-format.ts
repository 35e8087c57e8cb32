import { identityOf, type Limit } from '../algorithms/limit.ts';

/**
 * What follows the subject in the key of each limit. Names hold no braces, and the subject's are escaped, so that no two pairs of
 * name and subject make one key. A limit that was given no name goes by its place, which stays when its numbers change.
 */
export function keySuffixes(name: string, limits: readonly Limit[]): readonly string[] {
  return limits.map((limit, i) => `}:${name}:${identityOf(limit, i).replaceAll(':', '%3a')}:${limit.kind}`);
}

/** What the general script needs to know of a limit. `counted`: whether a fixed window is kept as `INCREX` can count it. */
export function limitArguments({ kind, width, capacity, parameters }: Limit, counted: boolean): readonly string[] {
  const padded = [0, 1, 2, counted && kind === 'fixedWindow' ? 1 : 0].map(
    (other, i) => parameters[i] ?? (i < 3 ? 0 : other),
  );
  return [kind, ...[width, capacity, ...padded].map(String)];
}

/** What the script answers for one subject. */
export interface Reply {
  /** 1 done, 0 not, 2 done though a limit that watches would not have. */
  readonly done: string;
  readonly now: number;
  readonly blockedUntil: number;
  readonly value: number;
  /** The states as they were before. */
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

/** No brace, colon or percent sign is left, nor half of a pair, which is the same as any other in UTF-8; different texts stay different. */
export function escapeKey(text: string): string {
  return SPECIAL.test(text) ? text.replace(EACH_SPECIAL, (one) => `%${one.charCodeAt(0).toString(16)}`) : text;
}

const SPECIAL = /[%:{}\p{Cs}]/u;
const EACH_SPECIAL = new RegExp(SPECIAL, 'gu');
