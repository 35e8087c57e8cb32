import { TagMarks, type Mark } from '../tag-marks.ts';
import type { TierMarks } from '../tier.ts';

/** Tags of a tier that one process remembers, per kind of ending. */
const MAX_KNOWN_TAGS = 10_000;

/**
 * What the marks mean for an entry: `invalidated`: it must not be served; `expired`: it lost its freshness at a time;
 * `unaffected`: nothing changes.
 */
export type Verdict =
  { readonly verdict: 'invalidated' | 'unaffected' } | { readonly verdict: 'expired'; readonly at: number };

const INVALIDATED: Verdict = { verdict: 'invalidated' };
const UNAFFECTED: Verdict = { verdict: 'unaffected' };

/**
 * The tag marks of a tier as this process knows them, and the decision what they mean for an entry. Each entry carries
 * the epoch and the newest position that its process knew when its load started. A mark that was made before has a
 * smaller position, one made later a larger one, whatever any clock says. A process that lags behind stores too small a
 * position, which errs on the side of loading again.
 *
 * When the tier has lost its marks, a new epoch starts. Entries of an older epoch cannot be compared and are served
 * only as stale. The remembered marks of the previous epoch still end what they had ended, and every mark of the new
 * epoch ends every entry of an older one that it affects.
 */
export class KnownMarks {
  #epoch = '';
  #position = 0;
  #invalidated = new TagMarks(MAX_KNOWN_TAGS);
  #expired = new TagMarks(MAX_KNOWN_TAGS);
  /** The position of the newest mark that affects everything (the tag `''`). */
  #clearedPosition = 0;
  /** The last parsed position: most entries have the same. */
  #lastParsed: EpochPosition = { text: '', epoch: '', position: Number.NaN };
  #previous: { epoch: string; invalidated: TagMarks; cleared: number } | undefined;

  /** What a load that starts now is stored with: `epoch position`. Empty while no marks are known. */
  get epochPosition(): string {
    return this.#epoch === '' ? '' : `${this.#epoch} ${this.#position}`;
  }

  /** Whether marks of this epoch can be applied: it is the current one, or none is known yet. */
  canApply(epoch: string): boolean {
    return this.#epoch === '' || epoch === this.#epoch;
  }

  get size(): number {
    return this.#invalidated.size + this.#expired.size;
  }

  /**
   * Adds marks read from the tier. Epochs must arrive in their order; within an epoch, in any order and any number of
   * times.
   */
  apply({ epoch, position, floor, marks }: TierMarks, at: number): void {
    if (epoch !== this.#epoch) this.#startEpoch(epoch);
    if (floor > 0) for (const table of [this.#invalidated, this.#expired]) table.forgetUpTo({ position: floor, at });
    for (const mark of [...marks].sort((one, other) => one.position - other.position)) {
      const { tag, how } = mark;
      if (tag === '') this.#clearedPosition = Math.max(this.#clearedPosition, mark.position);
      else {
        const table = how === 'expired' ? this.#expired : this.#invalidated;
        if (table.newest([tag]).position < mark.position) table.mark(tag, { position: mark.position, at });
      }
    }
    this.#position = Math.max(this.#position, position);
  }

  judge(epochPosition: string, tags: readonly string[]): Verdict {
    if (epochPosition !== this.#lastParsed.text) this.#lastParsed = parseEpochPosition(epochPosition);
    const { epoch, position } = this.#lastParsed;
    if (epoch !== this.#epoch || Number.isNaN(position)) {
      const previous = this.#previous;
      const known = previous?.epoch === epoch && previous;
      if (known && isInvalidatedAfter(known.invalidated.newest(tags), known.cleared, position)) return INVALIDATED;
      // For marks made since the loss, it is unknown whether the load came before or after them.
      if (isInvalidatedAfter(this.#invalidated.newest(tags), this.#clearedPosition, 0)) return INVALIDATED;
      return { verdict: 'expired', at: -Infinity };
    }
    if (isInvalidatedAfter(this.#invalidated.newest(tags), this.#clearedPosition, position)) return INVALIDATED;
    const expired = this.#expired.newest(tags);
    return expired.position > position ? { verdict: 'expired', at: expired.at } : UNAFFECTED;
  }

  #startEpoch(epoch: string): void {
    if (this.#epoch !== '') {
      this.#previous = { epoch: this.#epoch, invalidated: this.#invalidated, cleared: this.#clearedPosition };
    }
    this.#epoch = epoch;
    this.#position = 0;
    this.#clearedPosition = 0;
    this.#invalidated = new TagMarks(MAX_KNOWN_TAGS);
    this.#expired = new TagMarks(MAX_KNOWN_TAGS);
  }
}

interface EpochPosition {
  readonly text: string;
  readonly epoch: string;
  readonly position: number;
}

function parseEpochPosition(epochPosition: string): EpochPosition {
  const space = epochPosition.lastIndexOf(' ');
  return {
    text: epochPosition,
    epoch: epochPosition.slice(0, Math.max(space, 0)),
    position: Number(epochPosition.slice(space + 1)),
  };
}

function isInvalidatedAfter(newest: Mark, cleared: number, position: number): boolean {
  return newest.position > position || cleared > position;
}
