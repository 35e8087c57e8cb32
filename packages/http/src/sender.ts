import type { ExecuteContext } from '@macadam/resilience';
import type { AttemptLog } from './attempts.ts';
import type { DispatchOptions, Transport } from './dispatcher.ts';
import { withPropagation } from './peer.ts';
import type { PreparedRequest } from './request.ts';
import { ResponseHandler } from './response-handler.ts';
import type { HttpResponse } from './response.ts';
import type { HttpClientSettings } from './settings.ts';

/** Sends the tries of calls: where a call meets the transport. */
export class Sender {
  readonly #settings: HttpClientSettings;
  readonly #transport: Transport;
  /** What a first try within the usual limits sends to an internal peer: made once. */
  readonly #usualHeaders: readonly string[];
  #attempts = 0;

  constructor(settings: HttpClientSettings, transport: Transport) {
    this.#settings = settings;
    this.#transport = transport;
    this.#usualHeaders =
      settings.peer === 'external'
        ? settings.headers
        : withPropagation(settings.headers, { limitMs: settings.attemptTimeoutMs, priority: undefined, attempt: 1 });
  }

  /** Tries that were begun. */
  get attempts(): number {
    return this.#attempts;
  }

  /** One try of a call. */
  attempt(request: PreparedRequest, log: AttemptLog, context: ExecuteContext): Promise<HttpResponse> {
    this.#attempts++;
    return new Promise((resolve, reject) => {
      const now = this.#settings.clock.monotonic();
      log.begin(context.attempt, this.#settings.authority, now);
      const handler = new ResponseHandler(this.#settings, request, log, context, resolve, reject);
      context.onCancel((reason) => handler.cancel(reason));
      this.#dispatch(handler, this.#headers(request, context.attempt, now - log.startedAt));
    });
  }

  #dispatch(handler: ResponseHandler, headers: string[]): void {
    const { request } = handler;
    const outgoing = {
      origin: this.#settings.origin,
      path: request.path,
      method: request.method,
      headers,
      body: request.body ?? null,
    } as DispatchOptions;
    try {
      this.#transport.dispatcher.dispatch(outgoing, handler);
    } catch (error) {
      handler.onResponseError(null, error as Error);
    }
  }

  #headers(request: PreparedRequest, attempt: number, spentMs: number): string[] {
    const { peer, timeoutMs, attemptTimeoutMs, headers } = this.#settings;
    // The transport only reads the list.
    if (peer === 'external') return request.headers as string[];
    const { work, execution } = request;
    const priority = request.priority ?? work?.priority;
    const leftMs = Math.min((execution.timeoutMs ?? timeoutMs) - spentMs, work?.deadline?.remainingMs() ?? Infinity);
    const limitMs = Math.min(execution.attemptTimeoutMs ?? attemptTimeoutMs, leftMs);
    const usual = attempt === 1 && limitMs === attemptTimeoutMs && (priority === undefined || priority === 'normal');
    if (usual && request.headers === headers) return this.#usualHeaders as string[];
    return withPropagation(request.headers, { limitMs, priority, attempt });
  }
}
