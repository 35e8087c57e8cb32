import type { RecorderController, RecorderHandler } from './recorder-dispatcher.ts';
import type { RecordedResponse } from './recording.ts';

/** Delivers a recorded response to a handler as a connection would: the handler can pause and abort it. */
export function replay(response: RecordedResponse, handler: RecorderHandler): void {
  new Replay(response, handler).start();
}

class Replay implements RecorderController {
  readonly #handler: RecorderHandler;
  readonly #response: RecordedResponse;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  #ended = false;
  /** The calls of the handler that are still to be made, in order. */
  #steps: (() => void)[] = [];

  constructor(response: RecordedResponse, handler: RecorderHandler) {
    this.#response = response;
    this.#handler = handler;
  }

  start(): void {
    const { status, headers, body } = this.#response;
    const bytes =
      body === undefined ? undefined : 'text' in body ? Buffer.from(body.text) : Buffer.from(body.base64, 'base64');
    this.#steps = [
      () => this.#handler.onRequestStart?.(this, null),
      () => this.#handler.onResponseStart?.(this, status, { ...headers }, ''),
      () => bytes !== undefined && bytes.length > 0 && this.#handler.onResponseData?.(this, bytes),
      () => {
        this.#ended = true;
        this.#handler.onResponseEnd?.(this, {});
      },
    ];
    this.#continue();
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    queueMicrotask(() => this.#continue());
  }

  abort(reason: Error): void {
    if (this.#ended || this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.#handler.onResponseError?.(this, reason);
  }

  #continue(): void {
    try {
      while (!this.paused && !this.aborted) {
        const step = this.#steps.shift();
        if (step === undefined) return;
        step();
      }
    } catch (error) {
      // As on a connection, an error thrown by the handler fails the request.
      this.abort(error as Error);
    }
  }
}
