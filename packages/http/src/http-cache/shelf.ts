import type { PreparedRequest } from '../request.ts';
import { describesSame } from './conditional.ts';
import type { Asker } from './credentials.ts';
import type { CacheCall } from './cache-call.ts';
import { requestField } from './fields.ts';
import { InFlight, type Load } from './in-flight.ts';
import { outdatedUrls, type Place } from './invalidation.ts';
import { exchangeOf, recordOf, type Answered, type Keeping } from './record.ts';
import type { CacheCounts } from './stats.ts';
import { isStorable } from './storability.ts';
import { freshened, type StoredResponse } from './stored-response.ts';
import type { Variants } from './variants.ts';

/** An answer, taken apart. */
export interface Learnt extends Answered {
  /** What it came in when its status is outside 2xx. */
  readonly error: Error | undefined;
  /** The URLs of the redirects that led to it. */
  readonly redirects: readonly string[];
  /** Where it may have come from, of several endpoints. */
  readonly places: readonly Place[];
}

/** What is stored, and what it is to be when it has been said anew. */
export interface Renewal {
  readonly stored: StoredResponse;
  readonly fresh: StoredResponse;
}

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

  /** Spelled as a URL in a header of an answer will be, which outdates it. */
  url({ path }: PreparedRequest): string {
    return new URL(this.#keeping.base + path).href;
  }

  find(request: PreparedRequest, asker: Asker): Promise<StoredResponse | undefined> {
    return this.#variants.find(this.url(request), asker);
  }

  /** Tells of an invalidation between now and the end of the load: what it began with must not come back then. */
  begin(request: PreparedRequest): Load {
    return this.#loads.begin(this.url(request));
  }

  async keep(request: PreparedRequest, response: StoredResponse, load: Load, instead?: StoredResponse): Promise<void> {
    this.#counts.stored++;
    await this.#variants.put(this.url(request), response, { isOutdated: load.isOutdated, instead });
  }

  /** What is to be kept of an answer; undefined when it may not be kept. What a redirect led to answers another URL. */
  recordOf(call: Pick<CacheCall, 'asker' | 'request'>, learnt: Learnt): StoredResponse | undefined {
    return learnt.redirects.length > 0 ? undefined : recordOf(call, learnt, this.#keeping);
  }

  /** What is stored, with what a 304 or an answer to HEAD says anew. */
  renewal({ asker }: CacheCall, stored: StoredResponse, { fields, times }: Learnt): Renewal {
    const { mode } = this.#keeping;
    return { stored, fresh: freshened(stored, fields, times, { mode, asker: asker as Asker }) };
  }

  /** Keeps what is good again in the place of what it was, unless it is not to be kept any more. */
  async renew({ request, asker }: CacheCall, { stored, fresh }: Renewal, load: Load): Promise<void> {
    const exchange = { ...exchangeOf(request, fresh.status, fresh.headers, this.#keeping), method: 'GET' };
    if (isStorable(exchange, this.#keeping.mode)) await this.keep(request, fresh, load, stored);
    else await this.#variants.drop(this.url(request), asker as Asker);
  }

  /** Keeps an answer, or what it says about the one that is kept. */
  async learn(call: CacheCall, stored: StoredResponse | undefined, learnt: Learnt, load: Load): Promise<void> {
    const { response, fields, redirects } = learnt;
    const { request, asker } = call;
    if (redirects.length > 0) return;
    if (request.method === 'HEAD' && stored !== undefined && response.status === 200) {
      if (!describesSame(fields, stored)) await this.keep(request, { ...stored, outdated: true }, load);
      else await this.renew(call, this.renewal(call, stored, learnt), load);
      return;
    }
    const record = this.recordOf(call, learnt);
    if (record !== undefined) await this.keep(request, record, load, stored);
    // What is newer, and may not be kept, ends what is older.
    else if (stored !== undefined && request.method === 'GET' && response.ok && isWhole(request)) {
      await this.#variants.drop(this.url(request), asker as Asker);
    }
  }

  /** Forgets what an unsafe request may have changed. */
  async outdate({ path }: PreparedRequest, { response, fields, redirects, places }: Learnt): Promise<void> {
    const urls = outdatedUrls(this.#keeping.base, path, { status: response.status, fields, redirects, places });
    for (const url of urls) {
      this.#counts.invalidated++;
      this.#loads.outdate(url);
    }
    await Promise.all(urls.map((url) => this.#variants.delete(url)));
  }
}

function isWhole({ headers }: PreparedRequest): boolean {
  return requestField(headers, 'range') === undefined;
}
