import { Dispatcher } from 'undici';

/**
 * Responds to every request with the same JSON, without a socket, so that only the work of the client itself is
 * counted.
 */
export function stubDispatcher(json: string): Dispatcher {
  const body = Buffer.from(json);
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const rawHeaders = Object.entries(headers)
    .flat()
    .map((text) => Buffer.from(text));
  return new (class extends Dispatcher {
    override dispatch(_: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
      const nothing = (): void => {};
      const controller = {
        ...{ paused: false, aborted: false, reason: null, rawHeaders, rawTrailers: [] },
        ...{ abort: nothing, pause: nothing, resume: nothing },
      } as unknown as Dispatcher.DispatchController;
      queueMicrotask(() => {
        handler.onRequestStart?.(controller, {});
        handler.onResponseStart?.(controller, 200, headers, 'OK');
        handler.onResponseData?.(controller, body);
        handler.onResponseEnd?.(controller, {});
      });
      return true;
    }
  })();
}
