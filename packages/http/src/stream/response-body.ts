import { Readable, type Transform } from 'node:stream';
import { onAbort, type Clock, type Timer, type Unsubscribe } from '@macadam/core';
import { abortRequest, type DispatchController } from '../dispatcher.ts';
import type { HttpAttempt } from '../attempts.ts';
import { decoderFailure, RATIO_FREE_BYTES } from '../content-decoding.ts';
import { decodeError, HttpResponseTooLargeError } from '../body-errors.ts';
import { HttpError, HttpTimeoutError, withAttempts, type ErrorSubject } from '../errors.ts';
import type { BodyCopy } from './body-copy.ts';
import { makeDecoders } from './decoders.ts';

/** How a body is read. */
export interface ResponseBodySettings {
  readonly clock: Clock;
  readonly subject: ErrorSubject;
  readonly status: number;
  readonly idleTimeoutMs: number;
  readonly unreadTimeoutMs: number;
  readonly maxBytes: number;
  /** Decoded to what came over the wire, once it is above 1 MiB. */
  readonly maxRatio: number;
  /** What the tries of the call did: told by what its body fails with. */
  readonly attempts: readonly HttpAttempt[];
  /** Content encodings to undo, in the order they were applied. */
  readonly encodings: readonly string[];
  /** What is made of it for somebody else. */
  readonly copy: BodyCopy | undefined;
  /** What cancels the call; it cancels the reading too. */
  readonly signals: readonly (AbortSignal | undefined)[];
  /** The body has come to its end, whichever. */
  readonly onClose: () => void;
}

/**
 * The body of an answer, as it comes in. When the reader falls behind, the connection is paused, so that no more than a
 * few pieces wait in memory.
 *
 * It ends in bounded time whatever the two sides do: a server that falls silent while the reader waits, and a reader who
 * leaves it lying, both end it with `HttpTimeoutError`.
 */
export class ResponseBody extends Readable {
  readonly #settings: ResponseBodySettings;
  readonly #controller: DispatchController;
  readonly #unsubscribe: Unsubscribe[];
  #decoders: readonly Transform[] | undefined = undefined;
  #timer: Timer | undefined = undefined;
  #activeAt: number;
  #paused = false;
  #arrived = false;
  #size = 0;
  #wireSize = 0;

  constructor(controller: DispatchController, settings: ResponseBodySettings) {
    super();
    this.#settings = settings;
    this.#controller = controller;
    this.#activeAt = settings.clock.monotonic();
    // An error that nobody listens for would end the process; whoever reads is told anyway.
    this.on('error', () => {});
    this.#unsubscribe = settings.signals.map((signal) => onAbort(signal, (reason) => this.destroy(asError(reason))));
    this.#watch();
  }

  /** A piece from the wire. */
  deliver(chunk: Uint8Array): void {
    if (this.destroyed) return;
    this.#activeAt = this.#settings.clock.monotonic();
    const { encodings } = this.#settings;
    if (encodings.length === 0) {
      if (!this.#take(chunk)) this.#pause();
      return;
    }
    this.#wireSize += chunk.length;
    this.#decoders ??= this.#connect(makeDecoders(encodings, chunk));
    const inlet = this.#decoders[0] as Transform;
    if (!inlet.write(chunk)) {
      this.#pause();
      inlet.once('drain', () => this.#resume());
    }
  }

  /** The last piece has come. */
  finish(): void {
    this.#arrived = true;
    if (this.#decoders === undefined) return this.#complete();
    // No connection is held any more: no process has to stay for what is left in the decoders.
    this.#timer?.unref?.();
    this.#decoders[0]?.end();
  }

  /** All of it is here, read or not: there is nothing to cancel any more. */
  #complete(): void {
    this.#timer?.cancel();
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    const taken = this.#settings.copy?.complete();
    if (taken === undefined) this.push(null);
    else void taken.then(() => this.push(null));
  }

  /** What is made of it for somebody else, while it is read. */
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
    if (!this.#arrived) {
      this.#arrived = true;
      abortRequest(this.#controller, error ?? new Error('the rest of the body is not needed'));
    }
    this.#settings.copy?.drop();
    this.#settings.onClose();
    if (error instanceof HttpError) withAttempts(error, this.#settings.attempts);
    callback(error);
  }

  /** Hands a piece to the reader; false when he has enough for now. */
  #take(chunk: Uint8Array): boolean {
    const { maxBytes, maxRatio, subject, status } = this.#settings;
    this.#size += chunk.length;
    if (this.#size > maxBytes) {
      this.destroy(new HttpResponseTooLargeError(subject, 'maxBytes', maxBytes, status));
    } else if (this.#isBomb()) {
      this.destroy(new HttpResponseTooLargeError(subject, 'maxRatio', maxRatio, status));
    } else {
      this.#settings.copy?.add(chunk);
      return this.push(chunk);
    }
    return true;
  }

  #isBomb(): boolean {
    if (this.#decoders === undefined || this.#size <= RATIO_FREE_BYTES) return false;
    return this.#size > this.#wireSize * this.#settings.maxRatio;
  }

  #connect(decoders: readonly Transform[]): readonly Transform[] {
    const { subject, status, encodings } = this.#settings;
    for (const [i, decoder] of decoders.entries()) {
      const encoding = encodings.at(-1 - i) as string;
      decoder.on('error', (error) => this.destroy(decodeError(subject, status, decoderFailure(error, encoding))));
      const next = decoders[i + 1];
      if (next !== undefined) decoder.pipe(next);
    }
    const outlet = decoders.at(-1) as Transform;
    outlet.on('data', (chunk: Uint8Array) => {
      // Nothing else happens once all of it has arrived: it is taken out of the decoders as it is read.
      if (this.#arrived) this.#activeAt = this.#settings.clock.monotonic();
      if (!this.#take(chunk)) outlet.pause();
    });
    outlet.on('end', () => this.#complete());
    return decoders;
  }

  #pause(): void {
    if (this.#arrived) return;
    this.#paused = true;
    this.#controller.pause();
  }

  #resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#activeAt = this.#settings.clock.monotonic();
    if (!this.#arrived) this.#controller.resume();
  }

  /** One timer at a time, which is not set anew for each piece: it looks what has happened since. */
  #watch(): void {
    const { clock, idleTimeoutMs, unreadTimeoutMs, subject } = this.#settings;
    const shorterMs = Math.min(idleTimeoutMs, unreadTimeoutMs, LONGEST_TIMER_MS);
    const isLeft = this.#paused || this.#arrived;
    const limitMs = isLeft ? unreadTimeoutMs : idleTimeoutMs;
    const leftMs = this.#activeAt + limitMs - clock.monotonic();
    if (leftMs > 0) {
      // Looks again at the shorter of the limits, since who is waited for may change meanwhile.
      this.#timer = clock.setTimer(() => this.#watch(), Math.min(leftMs, shorterMs));
      if (this.#arrived) this.#timer.unref?.();
      return;
    }
    const what = isLeft ? 'left its body unread for' : 'was silent in the middle of its body for';
    this.destroy(new HttpTimeoutError(subject, limitMs, false, undefined, what));
  }
}

/** What a timer holds. */
const LONGEST_TIMER_MS = 2_147_483_647;

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error('The call was cancelled', { cause: reason });
}
