import { RecencyMap } from '@macadam/core';
import type { StoredResponse } from './stored-response.ts';

/**
 * Stores the responses of an HTTP cache, in this process or elsewhere. Keys contain no secrets: they consist of the mode, the URL
 * without its query, and a digest of the query. Each method may be asynchronous; an error, or an answer that takes longer than 250
 * ms, counts as a miss.
 */
export interface HttpCacheStore {
  /** Returns what was set for the key, or undefined. */
  get(key: string): readonly StoredResponse[] | undefined | Promise<readonly StoredResponse[] | undefined>;
  /** Replaces what is stored for the key. After `ttlMs` milliseconds it is of no more use and may be dropped. */
  set(key: string, responses: readonly StoredResponse[], ttlMs: number): void | Promise<void>;
  /** Removes what is stored for the key. */
  delete(key: string): void | Promise<void>;
}

/** A write that failed, or whose effect may not last. */
export const STORE_FAILED: unique symbol = Symbol('storeFailed');

interface Entry {
  readonly responses: readonly StoredResponse[];
  readonly bytes: number;
}

/** A store in memory, bounded by entries and bytes. Evicts the least recently used key first. */
export class MemoryHttpCacheStore {
  readonly #maxEntries: number;
  readonly #maxBytes: number;
  readonly #entries = new RecencyMap<string, Entry>();
  #bytes = 0;

  constructor(maxEntries: number, maxBytes: number) {
    this.#maxEntries = maxEntries;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): readonly StoredResponse[] | undefined {
    return this.#entries.get(key)?.responses;
  }

  /** Returns {@link STORE_FAILED} when not even the newest response fits. */
  set(key: string, responses: readonly StoredResponse[]): typeof STORE_FAILED | undefined {
    this.delete(key);
    let bytes = key.length;
    let fits = 0;
    // Newest first: if not all responses of a key fit, the oldest are dropped.
    for (const response of responses) {
      const total = bytes + sizeOf(response);
      if (total > this.#maxBytes) break;
      bytes = total;
      fits++;
    }
    if (fits === 0) return STORE_FAILED;
    this.#entries.set(key, { responses: fits < responses.length ? responses.slice(0, fits) : responses, bytes });
    this.#bytes += bytes;
    while (this.#entries.size > this.#maxEntries || this.#bytes > this.#maxBytes) {
      this.#bytes -= this.#entries.deleteOldest()?.[1].bytes ?? 0;
    }
    return undefined;
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

/** Approximate memory of the objects that make up a stored response, and of the entry of a URL. */
const OBJECT_BYTES = 640;
/** Approximate memory of a header field: a property, and the objects around two strings of one byte a character. */
const FIELD_BYTES = 80;

function sizeOf({ headers, body, selecting }: StoredResponse): number {
  let bytes = OBJECT_BYTES + body.length;
  for (const name of Object.keys(headers)) bytes += FIELD_BYTES + name.length + String(headers[name]).length;
  for (const name of Object.keys(selecting)) bytes += FIELD_BYTES + name.length + (selecting[name]?.length ?? 0);
  return bytes;
}
