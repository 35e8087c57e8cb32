import type { AttemptLog } from '../attempts.ts';
import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { describesSame } from './conditional.ts';
import type { StoredFields } from './fields.ts';
import { InFlight, type Load } from './in-flight.ts';
import { outdatedUrls } from './invalidation.ts';
import { recordOf, type Keeping, type Times } from './record.ts';
import type { CacheCounts } from './stats.ts';
import { freshened, type StoredResponse } from './stored-response.ts';
import type { Variants } from './variants.ts';

/** What is kept: learnt from answers, and outdated by what changes something. */
export class Shelf {
  readonly #variants: Variants;
  readonly #keeping: Keeping;
  readonly #counts: CacheCounts;
  readonly #loads = new InFlight();

  constructor(variants: Variants, keeping: Keeping, counts: CacheCounts) {
    this.#variants = variants;
    this.#keeping = keeping;
    this.#counts = counts;
  }

  get failures(): number {
    return this.#variants.failures;
  }

  url({ path }: PreparedRequest): string {
    return this.#keeping.origin + path;
  }

  find(request: PreparedRequest): Promise<StoredResponse | undefined> {
    return this.#variants.find(this.url(request), request.headers);
  }

  /** Tells of an invalidation between now and the end of the load: what it began with must not come back then. */
  begin(request: PreparedRequest): Load {
    return this.#loads.begin(this.url(request));
  }

  async keep(request: PreparedRequest, response: StoredResponse): Promise<void> {
    this.#counts.stored++;
    await this.#variants.put(this.url(request), response);
  }

  /** What is to be kept of an answer; undefined when it may not be kept. What a redirect led to answers another URL. */
  recordOf(request: PreparedRequest, log: AttemptLog, { response, fields, times }: Learnt): StoredResponse | undefined {
    return log.redirects > 0 ? undefined : recordOf(request, response, fields, times, this.#keeping);
  }

  /** Keeps an answer, or what it says about the one that is kept. */
  async learn(
    request: PreparedRequest,
    log: AttemptLog,
    stored: StoredResponse | undefined,
    learnt: Learnt,
  ): Promise<void> {
    const { response, fields, times } = learnt;
    if (request.method === 'HEAD' && stored !== undefined && response.status === 200) {
      const same = describesSame(fields, stored);
      const kept = same ? freshened(stored, fields, times, this.#keeping.mode) : { ...stored, outdated: true };
      return this.keep(request, kept);
    }
    const record = this.recordOf(request, log, learnt);
    if (record !== undefined) await this.keep(request, record);
  }

  /** Forgets what an unsafe request may have changed; keeps its own answer when that says it is what GET would give. */
  async change(request: PreparedRequest, log: AttemptLog, load: Load, learnt: Learnt): Promise<void> {
    const record = load.isOutdated() ? undefined : this.recordOf(request, log, learnt);
    const { response, fields } = learnt;
    for (const url of outdatedUrls(this.#keeping.origin, request.path, response.status, fields)) {
      this.#counts.invalidated++;
      this.#loads.outdate(url);
      await this.#variants.delete(url);
    }
    if (record !== undefined) await this.keep(request, record);
  }
}

/** An answer, taken apart. */
export interface Learnt {
  readonly response: HttpResponse;
  readonly fields: StoredFields;
  readonly times: Times;
}
