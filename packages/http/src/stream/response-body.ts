import { Readable, type Transform } from 'node:stream';
import { onAbort, type Clock, type Timer, type Unsubscribe } from '@macadam/core';
import { abortRequest, type DispatchController } from '../dispatcher.ts';
import type { HttpAttempt } from '../attempts.ts';
import { decoderFailure, RATIO_FREE_BYTES } from '../content-decoding.ts';
import { decodeError, HttpResponseTooLargeError } from '../body-errors.ts';
import { HttpError, HttpTimeoutError, withAttempts, type ErrorSubject } from '../errors.ts';
import type { BodyCopy } from './body-copy.ts';
import { unshared } from '../unshared.ts';
import { makeDecoders } from './decoders.ts';

/** How a streamed body is read. */
export interface ResponseBodySettings {
  readonly clock: Clock;
  readonly subject: ErrorSubject;
  readonly status: number;
  readonly idleTimeoutMs: number;
  readonly unreadTimeoutMs: number;
  readonly maxBytes: number;
  /** Maximum ratio of decoded bytes to bytes on the wire, checked above 1 MiB. */
  readonly maxRatio: number;
  /** The attempts of the call, for the errors of the body. */
  readonly attempts: readonly HttpAttempt[];
  /** Content encodings to decode, in the order they were applied. */
  readonly encodings: readonly string[];
  /** The copy that is made for the HTTP cache. */
  readonly copy: BodyCopy | undefined;
  /** The signals that cancel the call, and so the body. */
  readonly signals: readonly (AbortSignal | undefined)[];
}

/**
 * The body of a response, as it arrives. While the reader is behind, the connection is paused, so that only a few chunks are
 * buffered.
 *
 * It ends in bounded time: a server that is silent while the reader waits, and a reader that leaves data unread, both end it with
 * `HttpTimeoutError`.
 */
export class ResponseBody extends Readable {
  readonly #settings: ResponseBodySettings;
  readonly #controller: DispatchController;
  readonly #unsubscribe: Unsubscribe[];
  #decoders: readonly Transform[] | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #lastActivityAt: number;
  #isPaused = false;
  #isReceived = false;
  #decodedBytes = 0;
  #wireBytes = 0;

  constructor(controller: DispatchController, settings: ResponseBodySettings) {
    super();
    this.#settings = settings;
    this.#controller = controller;
    this.#lastActivityAt = settings.clock.monotonic();
    // Without a listener an error would end the process. A reader gets the error in any case.
    this.on('error', () => {});
    this.#unsubscribe = settings.signals.map((signal) => onAbort(signal, (reason) => this.destroy(asError(reason))));
    this.#checkTimeouts();
  }

  /** Takes a chunk from the wire. */
  deliver(chunk: Uint8Array): void {
    if (this.destroyed || this.#isReceived) return;
    this.#lastActivityAt = this.#settings.clock.monotonic();
    const { encodings } = this.#settings;
    if (encodings.length === 0) {
      if (!this.#pushDecoded(unshared(chunk))) this.#pause();
      return;
    }
    this.#wireBytes += chunk.length;
    this.#decoders ??= this.#connectDecoders(makeDecoders(encodings, chunk));
    const inlet = this.#decoders[0] as Transform;
    if (!inlet.write(chunk)) {
      this.#pause();
      inlet.once('drain', () => this.#resume());
    }
  }

  /** Call when the last chunk has arrived. */
  finish(): void {
    this.#isReceived = true;
    if (this.#decoders === undefined) return this.#complete();
    // No connection is held any more, so what is left in the decoders must not keep the process alive.
    this.#timer?.unref?.();
    this.#decoders[0]?.end();
  }

  /** Call when the rest of the body will not arrive. */
  fail(error: Error): void {
    if (!this.#isReceived) this.#fail(error);
  }

  /** Unlike what the body is cancelled with, which may be the error of another call, the error belongs to this call. */
  #fail(error: Error): void {
    this.destroy(error instanceof HttpError ? withAttempts(error, this.#settings.attempts) : error);
  }

  /** The body was decoded completely, though perhaps not read yet: there is nothing left to cancel. */
  #complete(): void {
    this.#timer?.cancel();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    const consumed = this.#settings.copy?.complete();
    if (consumed === undefined) this.push(null);
    else void consumed.then(() => this.push(null));
  }

  get copy(): BodyCopy | undefined {
    return this.#settings.copy;
  }

  override _read(): void {
    if (this.#decoders === undefined) this.#resume();
    else this.#decoders.at(-1)?.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#timer?.cancel();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    for (const decoder of this.#decoders ?? []) decoder.destroy();
    this.#stopReceiving(error ?? undefined);
    this.#settings.copy?.discard();
    callback(error);
  }

  /** Passes a decoded chunk to the reader; false if its buffer is full. */
  #pushDecoded(chunk: Uint8Array): boolean {
    const { maxBytes, maxRatio, subject, status } = this.#settings;
    this.#decodedBytes += chunk.length;
    if (this.#decodedBytes > maxBytes) {
      this.#fail(new HttpResponseTooLargeError(subject, 'maxBytes', maxBytes, status));
    } else if (this.#exceedsRatio()) {
      this.#fail(new HttpResponseTooLargeError(subject, 'maxRatio', maxRatio, status));
    } else {
      this.#settings.copy?.add(chunk);
      return this.push(chunk);
    }
    return true;
  }

  #exceedsRatio(): boolean {
    if (this.#decoders === undefined || this.#decodedBytes <= RATIO_FREE_BYTES) return false;
    return this.#decodedBytes > this.#wireBytes * this.#settings.maxRatio;
  }

  #connectDecoders(decoders: readonly Transform[]): readonly Transform[] {
    const { subject, status, encodings } = this.#settings;
    for (const [i, decoder] of decoders.entries()) {
      const encoding = encodings.at(-1 - i) as string;
      decoder.on('error', (error) => this.#fail(decodeError(subject, status, decoderFailure(error, encoding))));
      const next = decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const outlet = decoders.at(-1) as Transform;
    outlet.on('data', (chunk: Uint8Array) => {
      this.#lastActivityAt = this.#settings.clock.monotonic();
      if (!this.#pushDecoded(chunk)) outlet.pause();
    });
    outlet.on('end', () => {
      // The encoded body may end before the response does. Nothing reads the bytes that follow.
      this.#stopReceiving();
      this.#complete();
    });
    return decoders;
  }

  #stopReceiving(error = new Error('the rest of the body is not needed')): void {
    if (this.#isReceived) return;
    this.#isReceived = true;
    abortRequest(this.#controller, error);
  }

  #pause(): void {
    if (this.#isReceived) return;
    this.#isPaused = true;
    this.#controller.pause();
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#lastActivityAt = this.#settings.clock.monotonic();
    if (!this.#isReceived) this.#controller.resume();
  }

  /** A single timer at a time. It is not reset by each chunk, but compares with the latest activity when it fires. */
  #checkTimeouts(): void {
    const { clock, idleTimeoutMs, unreadTimeoutMs, subject } = this.#settings;
    const shorterMs = Math.min(idleTimeoutMs, unreadTimeoutMs, LONGEST_TIMER_MS);
    const isUnread = this.#isPaused || this.#isReceived;
    const limitMs = isUnread ? unreadTimeoutMs : idleTimeoutMs;
    const leftMs = this.#lastActivityAt + limitMs - clock.monotonic();
    if (leftMs > 0) {
      // Checks again after the shorter limit, because the side that is waited for may change.
      this.#timer = clock.setTimer(() => this.#checkTimeouts(), Math.min(leftMs, shorterMs));
      if (this.#isReceived) this.#timer.unref?.();
      return;
    }
    const what = isUnread ? 'left its body unread for' : 'was silent in the middle of its body for';
    this.#fail(new HttpTimeoutError(subject, limitMs, false, undefined, what));
  }
}

/** The longest delay of a Node.js timer. */
const LONGEST_TIMER_MS = 2_147_483_647;

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The call was cancelled', { cause: reason });
}
