import type { PreparedRequest } from '../request.ts';
import type { CacheCall } from './cache-call.ts';
import { hasValidator, isDescribedByHead } from './conditional.ts';
import type { PresentedRequest } from './credentials.ts';
import { requestField } from './fields.ts';
import { InFlightRequests, type InFlightRequest } from './in-flight-requests.ts';
import { endpointBaseOf, invalidatedUrls } from './invalidation.ts';
import type { OriginResponse } from './origin-response.ts';
import { combineParts } from './ranges.ts';
import type { CacheCounts } from './stats.ts';
import { isStorable } from './storability.ts';
import { exchangeOf, toStoredResponse, type StorageContext } from './storage.ts';
import { freshen, type StoredResponse } from './stored-response.ts';
import { baseUrlOf } from './target.ts';
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

  find(url: string, presented: PresentedRequest): Promise<StoredResponse | undefined> {
    return this.#variants.find(url, presented);
  }

  /** The time by which to judge a stored response, in epoch milliseconds. */
  now(stored: StoredResponse): number {
    return this.#variants.receipts.now(stored);
  }

  /** Notes that a request is in flight, so that an invalidation during it keeps its response out of the store. */
  begin({ url }: CacheCall): InFlightRequest {
    return this.#inFlight.begin(url);
  }

  /** The response to store; undefined when it must not be stored. After redirects, the response belongs to another URL. */
  toStored(call: Pick<CacheCall, 'presented' | 'request'>, received: OriginResponse): StoredResponse | undefined {
    return received.isRedirected ? undefined : toStoredResponse(call, received, this.#storage);
  }

  /** @param replaced - a stored response that is removed, even if other selecting fields select the new one */
  async put(
    { url, request }: CacheCall,
    response: StoredResponse,
    { isInvalidated }: InFlightRequest,
    replaced?: StoredResponse,
  ): Promise<void> {
    // A response to HEAD brings no body. The one that was found may have been invalidated since.
    const isUpdate = request.method === 'HEAD';
    if (await this.#variants.put(url, response, { isInvalidated, replaced, isUpdate })) this.#counts.stored++;
  }

  /** A stored part with a newer one (RFC 9111, section 3.4); undefined if they do not combine. */
  combined(stored: StoredResponse, newer: StoredResponse): StoredResponse | undefined {
    return combineParts(stored, newer, this.#storage.maxBytes);
  }

  /** A stored response, updated by the 304 or the response to HEAD that is about it (RFC 9111, sections 4.3.4 and 4.3.5). */
  freshened({ presented }: CacheCall, stored: StoredResponse, { fields, times }: OriginResponse): StoredResponse {
    return freshen(stored, fields, times, { mode: this.#storage.mode, presented: presented as PresentedRequest });
  }

  /** Replaces a stored response with its freshened form, or removes it if the update forbids storing it. */
  async replace(
    call: CacheCall,
    stored: StoredResponse,
    freshened: StoredResponse,
    inFlight: InFlightRequest,
  ): Promise<void> {
    const { request, url, presented } = call;
    const exchange = { ...exchangeOf(request, freshened.status, freshened.headers, this.#storage), method: 'GET' };
    if (isStorable(exchange, this.#storage.mode)) await this.put(call, freshened, inFlight, stored);
    else await this.#variants.deleteMatching(url, presented as PresentedRequest, inFlight);
  }

  /** Stores a response if that is allowed, and applies what it says about the response stored before. */
  async storeReceived(
    call: CacheCall,
    stored: StoredResponse | undefined,
    received: OriginResponse,
    inFlight: InFlightRequest,
  ): Promise<void> {
    const { response, fields, isRedirected } = received;
    const { request, url, presented } = call;
    if (isRedirected) return;
    if (request.method === 'HEAD' && stored !== undefined && response.status === 200) {
      if (isDescribedByHead(stored, fields)) {
        const freshened = this.freshened(call, stored, received);
        // Without a validator, the body may have changed all the same: it stays as old and as outdated as it is.
        const { requestedAtMs, receivedAtMs, outdated } = hasValidator(stored) ? freshened : stored;
        await this.replace(call, stored, { ...freshened, requestedAtMs, receivedAtMs, outdated }, inFlight);
      } else {
        await this.put(call, { ...stored, outdated: true }, inFlight, stored);
      }
      return;
    }
    const toStore = this.toStored(call, received);
    if (toStore !== undefined) {
      await this.put(call, toStore, inFlight, stored);
    } else if (stored !== undefined && request.method === 'GET' && response.ok && isForWhole(request)) {
      // A newer response that must not be stored still supersedes the stored one.
      await this.#variants.deleteMatching(url, presented as PresentedRequest, inFlight);
    }
  }

  /** Invalidates what an unsafe request may have changed (RFC 9111, section 4.4), including requests in flight. */
  async invalidate(request: PreparedRequest, received: OriginResponse): Promise<void> {
    const { response, fields, redirects } = received;
    const { baseUrl } = this.#storage;
    // With a `Host` header, redirects still lead to the URL of the client.
    const endpoints = [endpointBaseOf(baseUrl), ...received.endpoints];
    const unsafeResponse = { status: response.status, fields, redirects, endpoints };
    const urls = invalidatedUrls(baseUrlOf(request, baseUrl) as string, request.path, unsafeResponse);
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
