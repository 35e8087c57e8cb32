import type { PreparedRequest } from '../request.ts';
import type { CacheCall } from './cache-call.ts';
import { isDescribedByHead } from './conditional.ts';
import type { PresentedRequest } from './credentials.ts';
import { requestField } from './fields.ts';
import { InFlightRequests, type InFlightRequest } from './in-flight-requests.ts';
import { invalidatedUrls } from './invalidation.ts';
import type { OriginResponse } from './origin-response.ts';
import type { CacheCounts } from './stats.ts';
import { isStorable } from './storability.ts';
import { exchangeOf, toStoredResponse, type StorageContext } from './storage.ts';
import { freshen, type StoredResponse } from './stored-response.ts';
import type { Variants } from './variants.ts';

/** The stored responses of a cache: finds them, applies to them what the origin says, and invalidates them. */
export class ResponseStore {
  readonly #variants: Variants;
  readonly #storage: StorageContext;
  readonly #counts: CacheCounts;
  readonly #inFlight = new InFlightRequests();

  constructor(variants: Variants, storage: StorageContext, counts: CacheCounts) {
    this.#variants = variants;
    this.#storage = storage;
    this.#counts = counts;
  }

  /** The URL in normal form, so that a URL in `Location` or `Content-Location` is equal to it. */
  targetUrl({ path }: PreparedRequest): string {
    return new URL(this.#storage.baseUrl + path).href;
  }

  find(request: PreparedRequest, presented: PresentedRequest): Promise<StoredResponse | undefined> {
    return this.#variants.find(this.targetUrl(request), presented);
  }

  /** Notes that a request is in flight, so that an invalidation during it keeps its response out of the store. */
  begin(request: PreparedRequest): InFlightRequest {
    return this.#inFlight.begin(this.targetUrl(request));
  }

  /** The response to store; undefined when it must not be stored. After redirects, the response belongs to another URL. */
  toStored(call: Pick<CacheCall, 'presented' | 'request'>, received: OriginResponse): StoredResponse | undefined {
    return received.redirects.length > 0 ? undefined : toStoredResponse(call, received, this.#storage);
  }

  /** @param replaced - a stored response that is removed, even if other selecting fields select the new one */
  async put(
    request: PreparedRequest,
    response: StoredResponse,
    { isInvalidated }: InFlightRequest,
    replaced?: StoredResponse,
  ): Promise<void> {
    this.#counts.stored++;
    await this.#variants.put(this.targetUrl(request), response, { isInvalidated, replaced });
  }

  /** A stored response, updated by the 304 or the response to HEAD that is about it (RFC 9111, sections 4.3.4 and 4.3.5). */
  freshened({ presented }: CacheCall, stored: StoredResponse, { fields, times }: OriginResponse): StoredResponse {
    return freshen(stored, fields, times, { mode: this.#storage.mode, presented: presented as PresentedRequest });
  }

  /** Replaces a stored response with its freshened form, or removes it if the update forbids storing it. */
  async replace(
    { request, presented }: CacheCall,
    stored: StoredResponse,
    freshened: StoredResponse,
    inFlight: InFlightRequest,
  ): Promise<void> {
    const exchange = { ...exchangeOf(request, freshened.status, freshened.headers, this.#storage), method: 'GET' };
    if (isStorable(exchange, this.#storage.mode)) await this.put(request, freshened, inFlight, stored);
    else await this.#variants.deleteMatching(this.targetUrl(request), presented as PresentedRequest);
  }

  /** Stores a response if that is allowed, and applies what it says about the response stored before. */
  async storeReceived(
    call: CacheCall,
    stored: StoredResponse | undefined,
    received: OriginResponse,
    inFlight: InFlightRequest,
  ): Promise<void> {
    const { response, fields, redirects } = received;
    const { request, presented } = call;
    if (redirects.length > 0) return;
    if (request.method === 'HEAD' && stored !== undefined && response.status === 200) {
      if (isDescribedByHead(stored, fields)) {
        await this.replace(call, stored, this.freshened(call, stored, received), inFlight);
      } else {
        await this.put(request, { ...stored, outdated: true }, inFlight);
      }
      return;
    }
    const toStore = this.toStored(call, received);
    if (toStore !== undefined) {
      await this.put(request, toStore, inFlight, stored);
    } else if (stored !== undefined && request.method === 'GET' && response.ok && isForWhole(request)) {
      // A newer response that must not be stored still supersedes the stored one.
      await this.#variants.deleteMatching(this.targetUrl(request), presented as PresentedRequest);
    }
  }

  /** Invalidates what an unsafe request may have changed (RFC 9111, section 4.4), including requests in flight. */
  async invalidate({ path }: PreparedRequest, received: OriginResponse): Promise<void> {
    const { response, fields, redirects, endpoints } = received;
    const unsafeResponse = { status: response.status, fields, redirects, endpoints };
    const urls = invalidatedUrls(this.#storage.baseUrl, path, unsafeResponse);
    for (const url of urls) {
      this.#counts.invalidated++;
      this.#inFlight.invalidate(url);
    }
    await Promise.all(urls.map((url) => this.#variants.delete(url)));
  }
}

function isForWhole({ headers }: PreparedRequest): boolean {
  return requestField(headers, 'range') === undefined;
}
