import { randomFillSync } from 'node:crypto';
import { INVALID_SPANID, INVALID_TRACEID } from '@opentelemetry/api';
import type { IdGenerator } from './traces-sdk.ts';

const SPAN_ID_LENGTH = 16;
const TRACE_ID_LENGTH = 32;
/** Enough for some 80 spans. Ids are slices of the text of their batch: one that is kept for long keeps 4 KB in memory. */
const BATCH_BYTES = 2_048;

/**
 * Random ids, made in batches: to make and format each of them by itself, as the SDK does, is a large part of the cost of a
 * short span.
 */
export class RandomIds implements IdGenerator {
  readonly #bytes = Buffer.allocUnsafe(BATCH_BYTES);
  #hex = '';
  #at = 0;

  generateSpanId(): string {
    const id = this.#next(SPAN_ID_LENGTH);
    return id === INVALID_SPANID ? this.generateSpanId() : id;
  }

  generateTraceId(): string {
    const id = this.#next(TRACE_ID_LENGTH);
    return id === INVALID_TRACEID ? this.generateTraceId() : id;
  }

  #next(length: number): string {
    if (this.#at + length > this.#hex.length) {
      this.#hex = randomFillSync(this.#bytes).toString('hex');
      this.#at = 0;
    }
    return this.#hex.slice(this.#at, (this.#at += length));
  }
}
