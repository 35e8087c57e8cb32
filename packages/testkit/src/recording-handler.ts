import type { RecorderController, RecorderHandler } from './recorder-dispatcher.ts';
import type { RecordedExchange, RecordedRequest } from './recording.ts';
import type { Redaction } from './redaction.ts';

/** Hands on what comes back, and writes it down when it has come to its end. */
export class RecordingHandler implements RecorderHandler {
  readonly #to: RecorderHandler;
  readonly #request: RecordedRequest;
  readonly #redaction: Redaction;
  readonly #done: (exchange: RecordedExchange) => void;
  #status = 0;
  #headers: Record<string, string | string[]> = {};
  #chunks: Uint8Array[] = [];

  constructor(
    to: RecorderHandler,
    request: RecordedRequest,
    redaction: Redaction,
    done: (exchange: RecordedExchange) => void,
  ) {
    this.#to = to;
    this.#request = request;
    this.#redaction = redaction;
    this.#done = done;
  }

  onRequestStart(controller: RecorderController, context: unknown): void {
    this.#to.onRequestStart?.(controller, context);
  }

  onResponseStart(
    controller: RecorderController,
    status: number,
    headers: Record<string, string | string[]>,
    statusText?: string,
  ): void {
    this.#status = status;
    this.#headers = headers;
    this.#to.onResponseStart?.(controller, status, headers, statusText);
  }

  onResponseData(controller: RecorderController, chunk: Buffer): void {
    this.#chunks.push(new Uint8Array(chunk));
    this.#to.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: RecorderController, trailers: Record<string, string | string[]>): void {
    const response = this.#redaction.response(this.#status, this.#headers, Buffer.concat(this.#chunks));
    this.#done({ request: this.#request, response });
    this.#to.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: RecorderController, error: Error): void {
    this.#to.onResponseError?.(controller, error);
  }
}
