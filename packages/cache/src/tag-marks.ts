import { OptionsError, RecencyMap } from '@macadam/core';
import { isWellFormed } from './well-formed.ts';

/** How many tags one entry may have. */
export const MAX_TAGS = 16;
const MAX_TAG_LENGTH = 256;

/** When a tag was invalidated or expired, and where in the order of all such events. */
export interface Mark {
  /** Counted from 1. An entry whose load started at this position or later is not affected. */
  readonly position: number;
  /** On the monotonic clock. */
  readonly at: number;
}

const NO_MARK: Mark = { position: 0, at: -Infinity };

/**
 * The latest mark of each tag. An entry is compared with the marks when it is read, against the position at which its
 * load started. So invalidating a tag costs the same for one entry as for a million, and it also stops a load in flight
 * whose tags are known only at its end. Positions are compared, not times, so that a wrong clock cannot matter.
 *
 * Bounded: when the mark of a tag is dropped, every tagged entry older than that mark counts as marked. That errs on
 * the side of loading again.
 */
export class TagMarks {
  readonly #marks = new RecencyMap<string, Mark>();
  readonly #maxTags: number;
  #floor: Mark = NO_MARK;

  constructor(maxTags: number) {
    this.#maxTags = maxTags;
  }

  get size(): number {
    return this.#marks.size;
  }

  mark(tag: string, mark: Mark): void {
    this.#marks.set(tag, mark);
    if (this.#marks.size <= this.#maxTags) return;
    const [, dropped] = this.#marks.deleteOldest() as readonly [string, Mark];
    this.forgetUpTo(dropped);
  }

  /** Treats every tag as marked at `mark`. */
  forgetUpTo(mark: Mark): void {
    if (mark.position > this.#floor.position) this.#floor = mark;
  }

  /** The newest mark on any of the tags; position 0 if there is none. */
  newest(tags: readonly string[]): Mark {
    if (tags.length === 0) return NO_MARK;
    let newest = this.#floor;
    for (const tag of tags) {
      // `peek`: marks are dropped in the order in which they were set, so reading one must not move it.
      const mark = this.#marks.peek(tag);
      if (mark !== undefined && mark.position > newest.position) newest = mark;
    }
    return newest;
  }
}

/** Throws {@link OptionsError} unless `tags` is an array of tags. */
export function assertTags(path: string, tags: unknown, maxTags: number = MAX_TAGS): asserts tags is readonly string[] {
  if (!Array.isArray(tags) || tags.length > maxTags) {
    throw new OptionsError(path, tags, maxTags === Infinity ? 'a list of tags' : `a list of ${maxTags} tags at most`);
  }
  for (const [i, tag] of tags.entries()) {
    const fits = typeof tag === 'string' && tag.length > 0 && tag.length <= MAX_TAG_LENGTH;
    // In UTF-8, which the shared tier stores, different lone surrogates would become the same tag.
    if (!fits || !isWellFormed(tag)) {
      throw new OptionsError(`${path}[${i}]`, tag, `a well-formed string of 1 to ${MAX_TAG_LENGTH} characters`);
    }
  }
}
