import { OptionsError, RecencyMap } from '@macadam/core';
import { isWellFormed } from './well-formed.ts';

/** The most tags one entry may have. */
export const MOST_TAGS = 16;
const LONGEST_TAG = 256;

/** That a tag was invalidated: where in the order of all invalidations, and when. */
export interface Mark {
  /** Counted from 1; an entry whose load began at this position or later is not affected. */
  readonly position: number;
  /** On the monotonic clock. */
  readonly at: number;
}

const NEVER: Mark = { position: 0, at: -Infinity };

/**
 * When each tag was last invalidated. An entry is judged when it is read, against the position at which its load
 * began: invalidating a tag costs the same for one entry as for a million, and a load that was under way is caught
 * although its tags are known only at its end. Positions, not times, are compared, so that no clock can be wrong.
 *
 * Bounded: when a tag is forgotten, every tagged entry older than its mark counts as marked, which errs on the side of
 * loading again.
 */
export class TagMarks {
  readonly #marks = new RecencyMap<string, Mark>();
  readonly #mostTags: number;
  #floor: Mark = NEVER;

  constructor(mostTags: number) {
    this.#mostTags = mostTags;
  }

  get size(): number {
    return this.#marks.size;
  }

  mark(tag: string, mark: Mark): void {
    this.#marks.set(tag, mark);
    if (this.#marks.size <= this.#mostTags) return;
    const [, forgotten] = this.#marks.deleteOldest() as readonly [string, Mark];
    this.forgetUpTo(forgotten);
  }

  /** Takes it that any tag may have been marked there. */
  forgetUpTo(mark: Mark): void {
    if (mark.position > this.#floor.position) this.#floor = mark;
  }

  /** The newest mark on any of the tags; position 0 when there is none. */
  newest(tags: readonly string[]): Mark {
    if (tags.length === 0) return NEVER;
    let newest = this.#floor;
    for (const tag of tags) {
      // Looked at, not used: marks are forgotten in the order they were set.
      const mark = this.#marks.peek(tag);
      if (mark !== undefined && mark.position > newest.position) newest = mark;
    }
    return newest;
  }
}

/** Throws {@link OptionsError} unless `tags` is a list of tags. */
export function assertTags(path: string, tags: unknown, most: number = MOST_TAGS): asserts tags is readonly string[] {
  if (!Array.isArray(tags) || tags.length > most) {
    throw new OptionsError(path, tags, most === Infinity ? 'a list of tags' : `a list of ${most} tags at most`);
  }
  for (const [i, tag] of tags.entries()) {
    const fits = typeof tag === 'string' && tag.length > 0 && tag.length <= LONGEST_TAG;
    // UTF-8 would make different halves of a surrogate pair one tag in the shared tier, and another one here.
    if (!fits || !isWellFormed(tag)) {
      throw new OptionsError(`${path}[${i}]`, tag, `a well-formed string of 1 to ${LONGEST_TAG} characters`);
    }
  }
}
