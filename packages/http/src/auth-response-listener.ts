import type { AuthHeaders, HttpAuth } from './auth.ts';
import type { DispatchController, RawHeaders, Receiver } from './dispatcher.ts';
import { ResponseHeaders } from './headers.ts';

/** Calls `auth.received` with the head of each response, before the response is processed. */
export class AuthResponseListener implements Receiver {
  readonly #receiver: Receiver;
  readonly #auth: HttpAuth;
  readonly #sent: AuthHeaders;
  readonly #origin: string;

  constructor(receiver: Receiver, auth: HttpAuth, sent: AuthHeaders, origin: string) {
    this.#receiver = receiver;
    this.#auth = auth;
    this.#sent = sent;
    this.#origin = origin;
  }

  get settled(): boolean {
    return this.#receiver.settled === true;
  }

  onRequestStart(controller: DispatchController): void {
    this.#receiver.onRequestStart?.(controller, undefined);
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders, statusText?: string): void {
    if (status >= 200) this.#notify(status, headers);
    this.#receiver.onResponseStart?.(controller, status, headers, statusText);
  }

  onResponseData(controller: DispatchController, chunk: Buffer): void {
    this.#receiver.onResponseData?.(controller, chunk);
  }

  onResponseEnd(controller: DispatchController, trailers: RawHeaders): void {
    this.#receiver.onResponseEnd?.(controller, trailers);
  }

  onResponseError(controller: DispatchController, error: Error): void {
    this.#receiver.onResponseError?.(controller, error);
  }

  #notify(status: number, headers: RawHeaders): void {
    const fields = new ResponseHeaders(headers);
    const get = (name: string): string | undefined => fields.get(name) ?? undefined;
    try {
      const result: unknown = this.#auth.received?.(this.#sent, { status, origin: this.#origin, headers: { get } });
      if (result !== undefined) Promise.resolve(result).catch(() => undefined);
    } catch {
      // A failing listener must not fail the request.
    }
  }
}
