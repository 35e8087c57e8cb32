import { TagMarks, type Mark } from '../tag-marks.ts';
import type { TierMarks } from '../tier.ts';

/** Invalidated tags of a tier that one process remembers. */
const MOST_KNOWN_TAGS = 10_000;

/** What marks say about an entry of the tier: it must not serve, it lost its freshness at a time, or it is as it says. */
export type Verdict = { readonly verdict: 'ended' | 'holds' } | { readonly verdict: 'expired'; readonly at: number };

const ENDED: Verdict = { verdict: 'ended' };
const HOLDS: Verdict = { verdict: 'holds' };

/**
 * The marks of a tier as this process knows them. An entry carries a stamp: the epoch and the newest position that its process
 * knew of when the load began. An invalidation that had been made by then has a smaller position, and one made later a larger
 * one, whatever any clock says; a process that lags behind stamps too small a position, which errs on the side of loading again.
 *
 * When the tier has lost its marks, there is a new epoch: what was stamped before cannot be judged, and is stale. What is known
 * of the epoch before still ends what it had ended, and every mark of the new one ends what was stamped before.
 */
export class KnownMarks {
  #epoch = '';
  #position = 0;
  #invalidated = new TagMarks(MOST_KNOWN_TAGS);
  #expired = new TagMarks(MOST_KNOWN_TAGS);
  #cleared = 0;
  /** The stamp that was read last: most entries have the same. */
  #read: Stamp = { stamp: '', epoch: '', position: Number.NaN };
  #former: { epoch: string; invalidated: TagMarks; cleared: number } | undefined;

  /** For a load that begins now; empty while nothing is known. */
  get stamp(): string {
    return this.#epoch === '' ? '' : `${this.#epoch} ${this.#position}`;
  }

  /** Whether no other epoch is known. */
  mayBeOf(epoch: string): boolean {
    return this.#epoch === '' || epoch === this.#epoch;
  }

  get size(): number {
    return this.#invalidated.size + this.#expired.size;
  }

  /** Takes in what the tier answers, in the order of its epochs; within one, in any order and any number of times. */
  learn({ epoch, position, floor, marks }: TierMarks, at: number): void {
    if (epoch !== this.#epoch) this.#turnTo(epoch);
    if (floor > 0) for (const table of [this.#invalidated, this.#expired]) table.forgetUpTo({ position: floor, at });
    for (const mark of [...marks].sort((one, other) => one.position - other.position)) {
      const { tag, how } = mark;
      if (tag === '') this.#cleared = Math.max(this.#cleared, mark.position);
      else {
        const table = how === 'expired' ? this.#expired : this.#invalidated;
        if (table.newest([tag]).position < mark.position) table.mark(tag, { position: mark.position, at });
      }
    }
    this.#position = Math.max(this.#position, position);
  }

  judge(stamp: string, tags: readonly string[]): Verdict {
    if (stamp !== this.#read.stamp) this.#read = readStamp(stamp);
    const { epoch, position } = this.#read;
    if (epoch !== this.#epoch || Number.isNaN(position)) {
      const former = this.#former;
      const known = former?.epoch === epoch && former;
      if (known && isEnded(known.invalidated.newest(tags), known.cleared, position)) return ENDED;
      // Of whatever was ended since the marks were lost it cannot be told whether the load came before or after.
      if (isEnded(this.#invalidated.newest(tags), this.#cleared, 0)) return ENDED;
      return { verdict: 'expired', at: -Infinity };
    }
    if (isEnded(this.#invalidated.newest(tags), this.#cleared, position)) return ENDED;
    const expired = this.#expired.newest(tags);
    return expired.position > position ? { verdict: 'expired', at: expired.at } : HOLDS;
  }

  #turnTo(epoch: string): void {
    if (this.#epoch !== '') {
      this.#former = { epoch: this.#epoch, invalidated: this.#invalidated, cleared: this.#cleared };
    }
    this.#epoch = epoch;
    this.#position = 0;
    this.#cleared = 0;
    this.#invalidated = new TagMarks(MOST_KNOWN_TAGS);
    this.#expired = new TagMarks(MOST_KNOWN_TAGS);
  }
}

interface Stamp {
  readonly stamp: string;
  readonly epoch: string;
  readonly position: number;
}

function readStamp(stamp: string): Stamp {
  const space = stamp.lastIndexOf(' ');
  return { stamp, epoch: stamp.slice(0, Math.max(space, 0)), position: Number(stamp.slice(space + 1)) };
}

function isEnded(newest: Mark, cleared: number, position: number): boolean {
  return newest.position > position || cleared > position;
}
