import { HttpDecodeError } from '../body-errors.ts';
import { parseEncodings, type DecodedLimits } from '../content-decoding.ts';
import type { Clock } from '@macadam/core';
import { abortRequest, type DispatchController, type RawHeaders, type Receiver } from '../dispatcher.ts';
import { networkFailure } from '../network-failure.ts';
import type { ResponseHandler } from '../response-handler.ts';
import { HttpResponse, setBody } from '../response.ts';
import { BodyCopy } from './body-copy.ts';
import { isDecodable } from './decoders.ts';
import { defaultIdleTimeoutMs, isPassedThrough, mustBeFollowed, type StreamSettings } from './options.ts';
import { ResponseBody } from './response-body.ts';
import { truncationError } from '../transport/http2-streams.ts';

/**
 * A request whose response is streamed. Until the headers arrive it behaves like any other request. With them the attempt ends:
 * time limits, retries and the circuit breaker apply no longer, and the body is between the server and the reader.
 */
export class StreamHandler implements Receiver {
  readonly #attempt: ResponseHandler;
  readonly #stream: StreamSettings;
  readonly #clock: Clock;
  readonly #limits: DecodedLimits;
  #body: ResponseBody | undefined = undefined;

  constructor(attempt: ResponseHandler, stream: StreamSettings, client: { clock: Clock; limits: DecodedLimits }) {
    this.#attempt = attempt;
    this.#stream = stream;
    this.#clock = client.clock;
    this.#limits = client.limits;
  }

  get settled(): boolean {
    return this.#attempt.settled;
  }

  onRequestStart(controller: DispatchController): void {
    this.#attempt.onRequestStart(controller);
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders, statusText?: string): void {
    const attempt = this.#attempt;
    if (attempt.settled || status < 200) return;
    this.#stream.statusText = statusText ?? '';
    const { hop, path } = attempt.request;
    // An earlier attempt of the call may have been redirected.
    this.#stream.redirected = hop !== undefined;
    this.#stream.url = hop && hop.origin + path;
    const capture = this.#stream.captureRule?.(attempt.request, status, headers);
    const streamsErrors = this.#stream.streamsErrors && !mustBeFollowed(this.#stream, status, headers);
    const mayStream = status < 300 || (streamsErrors && !attempt.mayContinue(status, headers));
    if (capture === 'read' || !mayStream) {
      attempt.onResponseStart(controller, status, headers);
      return;
    }
    const { subject, method } = attempt.request;
    const encoding = headers['content-encoding'];
    const decodes = this.#stream.decompress && method !== 'HEAD' && !isPassedThrough(attempt.request, encoding);
    const encodings = decodes ? parseEncodings(encoding) : [];
    if (encodings.length > this.#limits.maxEncodings || !isDecodable(encodings)) {
      const detail = 'has content encodings that were not asked for';
      const error = new HttpDecodeError(subject, 'encoding', status, detail);
      attempt.fail(error, status);
      abortRequest(controller, error);
      return;
    }
    const response = new HttpResponse(subject, status, headers);
    this.#body = new ResponseBody(controller, {
      ...this.#stream,
      idleTimeoutMs: this.#stream.idleTimeoutMs ?? defaultIdleTimeoutMs(headers['content-type']),
      clock: this.#clock,
      subject,
      status,
      attempts: attempt.log.records,
      encodings,
      copy: capture === 'copy' ? new BodyCopy(this.#limits.maxBytes) : undefined,
    });
    setBody(response, this.#body);
    attempt.log.trace?.responseStarted(attempt.context.attempt, controller);
    attempt.settleWithStream(response, headers);
  }

  onResponseData(controller: DispatchController, chunk: Uint8Array): void {
    if (this.#body === undefined) this.#attempt.onResponseData(controller, chunk);
    else this.#body.deliver(chunk);
  }

  onResponseEnd(): void {
    const body = this.#body;
    const cut = body === undefined ? undefined : truncationError(this.#attempt.headers);
    if (body === undefined) this.#attempt.onResponseEnd();
    else if (cut === undefined) body.finish();
    else body.fail(networkFailure(this.#attempt, cut, 'response', false));
  }

  onResponseError(controller: DispatchController | null, error: Error): void {
    if (this.#body === undefined) this.#attempt.onResponseError(controller, error);
    else this.#body.fail(networkFailure(this.#attempt, error, 'response', false));
  }
}
