/** The shapes of undici's dispatchers that a recorder stands in for: testkit does not depend on undici. */

/** A request in the form of undici's `Dispatcher.DispatchOptions`, as far as it is used. */
export interface RecorderRequest {
  /** The origin the request is sent to. */
  readonly origin?: string | URL | null | undefined;
  /** Path and query. */
  readonly path: string;
  /** Query parameters to append to the path. */
  readonly query?: unknown;
  /** The request method. */
  readonly method: string;
  /** The request headers, in any form that undici takes. */
  readonly headers?: unknown;
  /** The body, in any form that undici takes. */
  readonly body?: unknown;
}

/** A handler in the form of undici's `Dispatcher.DispatchHandler`, as far as it is used. */
export interface RecorderHandler {
  /** Called before the request is sent. */
  onRequestStart?(controller: RecorderController, context: unknown): void;
  /** Called with status and headers of the response. */
  onResponseStart?(
    controller: RecorderController,
    status: number,
    headers: Record<string, string | string[]>,
    statusText?: string,
  ): void;
  /** Called with each chunk of the body. */
  onResponseData?(controller: RecorderController, chunk: Buffer): void;
  /** Called when the response is complete. */
  onResponseEnd?(controller: RecorderController, trailers: Record<string, string | string[]>): void;
  /** Called when the request has failed. */
  onResponseError?(controller: RecorderController, error: Error): void;
}

/** The controller that a handler receives, in the form of undici's `Dispatcher.DispatchController`. */
export interface RecorderController {
  /** Whether the request was aborted. */
  readonly aborted: boolean;
  /** Whether the response is paused. */
  readonly paused: boolean;
  /** The reason of the abort; null if there was none. */
  readonly reason: Error | null;
  /** Stops the delivery of the response. */
  pause(): void;
  /** Continues the delivery of the response. */
  resume(): void;
  /** Aborts the request. */
  abort(reason: Error): void;
}

/** A dispatcher to send requests through: an undici `Agent`, `Pool`, `ProxyAgent`, or another recorder. */
export interface RecorderDispatcher {
  /** Sends a request; the handler receives its response. */
  dispatch(request: never, handler: never): boolean;
}
