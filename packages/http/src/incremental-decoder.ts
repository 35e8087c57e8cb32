import type { Transform } from 'node:stream';
import { decoderFailure, RATIO_FREE_BYTES, type DecodedLimits, type DecodeFailure } from './content-decoding.ts';
import { abortRequest, type DispatchController } from './dispatcher.ts';
import { makeDecoders } from './stream/decoders.ts';

/**
 * Decodes a compressed body that is read whole while it arrives, so that a body that exceeds a limit fails at once, however
 * slowly its rest would arrive.
 */
export class IncrementalDecoder {
  readonly #controller: DispatchController;
  readonly #limits: DecodedLimits;
  readonly #settle: (result: Uint8Array | DecodeFailure) => void;
  readonly #decoders: readonly Transform[];
  readonly #chunks: Uint8Array[] = [];
  #wireBytes = 0;
  #decodedBytes = 0;
  /** Whether all of the response has arrived. */
  #isReceived = false;
  #settled = false;

  /**
   * @param controller - pauses the connection while the decoders are behind, and drops it if they end before the response
   * @param encodings - in the order they were applied; all of them decodable
   * @param first - the beginning of the body, which the caller writes as well
   * @param settle - called once, never from within `write`
   */
  constructor(
    controller: DispatchController,
    encodings: readonly string[],
    limits: DecodedLimits,
    first: Uint8Array,
    settle: (result: Uint8Array | DecodeFailure) => void,
  ) {
    this.#controller = controller;
    this.#limits = limits;
    this.#settle = settle;
    this.#decoders = makeDecoders(encodings, first);
    for (const [i, decoder] of this.#decoders.entries()) {
      const encoding = encodings.at(-1 - i) as string;
      decoder.on('error', (error) => this.#end(decoderFailure(error, encoding)));
      this.#limitOutput(decoder);
      const next = this.#decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const outlet = this.#decoders.at(-1) as Transform;
    outlet.on('data', (chunk: Uint8Array) => {
      this.#chunks.push(chunk);
      this.#decodedBytes += chunk.length;
    });
    outlet.on('end', () => this.#end(Buffer.concat(this.#chunks, this.#decodedBytes)));
  }

  write(chunk: Uint8Array): void {
    this.#wireBytes += chunk.length;
    const inlet = this.#decoders[0] as Transform;
    if (this.#settled || inlet.write(chunk)) return;
    this.#controller.pause();
    inlet.once('drain', () => this.#controller.resume());
  }

  /** Call when the last chunk has arrived. */
  end(): void {
    this.#isReceived = true;
    this.#decoders[0]?.end();
  }

  /** Discards the body. */
  destroy(): void {
    this.#settled = true;
    for (const decoder of this.#decoders) decoder.destroy();
    this.#chunks.length = 0;
  }

  /** Applies the limits to the output of each encoding: of two stacked ones, the first may be the bomb. */
  #limitOutput(decoder: Transform): void {
    const { maxBytes, maxRatio } = this.#limits;
    let outputBytes = 0;
    decoder.on('data', (chunk: Uint8Array) => {
      outputBytes += chunk.length;
      if (outputBytes > maxBytes) this.#end({ kind: 'maxBytes', allowed: maxBytes });
      else if (outputBytes > RATIO_FREE_BYTES && outputBytes > this.#wireBytes * maxRatio) {
        this.#end({ kind: 'maxRatio', allowed: maxRatio });
      }
    });
  }

  #end(result: Uint8Array | DecodeFailure): void {
    if (this.#settled) return;
    this.destroy();
    this.#settle(result);
    // The body is not usable, or bytes follow that do not belong to it. Nothing reads the rest, so it would hold the connection.
    if (!this.#isReceived) abortRequest(this.#controller, new Error('the rest of the body is not needed'));
  }
}
