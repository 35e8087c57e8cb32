import type { RecorderController, RecorderHandler } from './recorder-dispatcher.ts';
import type { RecordedExchange, RecordedRequest } from './recording.ts';
import type { Redaction } from './redaction.ts';

/** Passes a response on to the handler of the client, and records it when it is complete. */
export class RecordingHandler implements RecorderHandler {
  readonly #handler: RecorderHandler;
  readonly #request: RecordedRequest;
  readonly #redaction: Redaction;
  readonly #onComplete: (exchange: RecordedExchange) => void;
  #status = 0;
  #headers: Record<string, string | string[]> = {};
  #chunks: Uint8Array[] = [];

  constructor(
    handler: RecorderHandler,
    request: RecordedRequest,
    redaction: Redaction,
    onComplete: (exchange: RecordedExchange) => void,
  ) {
    this.#handler = handler;
    this.#request = request;
    this.#redaction = redaction;
    this.#onComplete = onComplete;
  }

  onRequestStart(controller: RecorderController, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context);
  }

  onResponseStart(
    controller: RecorderController,
    status: number,
    headers: Record<string, string | string[]>,
    statusText?: string,
  ): void {
    this.#status = status;
    this.#headers = headers;
    this.#handler.onResponseStart?.(controller, status, headers, statusText);
  }

  onResponseData(controller: RecorderController, chunk: Buffer): void {
    this.#chunks.push(new Uint8Array(chunk));
    this.#handler.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: RecorderController, trailers: Record<string, string | string[]>): void {
    const response = this.#redaction.response(this.#status, this.#headers, Buffer.concat(this.#chunks));
    this.#onComplete({ request: this.#request, response });
    this.#handler.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: RecorderController, error: Error): void {
    this.#handler.onResponseError?.(controller, error);
  }
}
