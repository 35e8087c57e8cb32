import { HttpDecodeError } from '../body-errors.ts';
import { parseEncodings, type DecodedLimits } from '../content-decoding.ts';
import type { Clock } from '@macadam/core';
import { abortRequest, type DispatchController, type RawHeaders, type Receiver } from '../dispatcher.ts';
import { networkFailure } from '../network-failure.ts';
import type { ResponseHandler } from '../response-handler.ts';
import { HttpResponse, setBody } from '../response.ts';
import { BodyCopy } from './body-copy.ts';
import { isDecodable } from './decoders.ts';
import { isPassedThrough, defaultIdleTimeoutMs, type StreamSettings } from './options.ts';
import { ResponseBody } from './response-body.ts';
import { truncationError } from '../transport/http2-streams.ts';

/**
 * One request whose answer is streamed. Until the headers have come it is like any other; then the try is over, as far
 * as time limits, retries and the circuit breaker go, and what follows is between the server and the reader.
 */
export class StreamHandler implements Receiver {
  readonly #whole: ResponseHandler;
  readonly #stream: StreamSettings;
  readonly #clock: Clock;
  readonly #limits: DecodedLimits;
  #body: ResponseBody | undefined = undefined;

  constructor(whole: ResponseHandler, stream: StreamSettings, client: { clock: Clock; limits: DecodedLimits }) {
    this.#whole = whole;
    this.#stream = stream;
    this.#clock = client.clock;
    this.#limits = client.limits;
  }

  get settled(): boolean {
    return this.#whole.settled;
  }

  onRequestStart(controller: DispatchController): void {
    this.#whole.onRequestStart(controller);
  }

  onResponseStart(controller: DispatchController, status: number, headers: RawHeaders, statusText?: string): void {
    const whole = this.#whole;
    if (whole.settled || status < 200) return;
    this.#stream.statusText = statusText ?? '';
    const { hop, path } = whole.request;
    if (hop !== undefined) {
      this.#stream.redirected = true;
      this.#stream.url = hop.origin + path;
    }
    const kept = this.#stream.captureRule?.(whole.request, status, headers);
    const isGiven = this.#stream.redirect === 'manual' && status < 400;
    if (
      kept === 'read' ||
      (status >= 300 && !isGiven && (!this.#stream.failures || whole.mayContinue(status, headers)))
    ) {
      whole.onResponseStart(controller, status, headers);
      return;
    }
    const { subject, source, execution, work, method } = whole.request;
    const encoding = headers['content-encoding'];
    const undone = this.#stream.decompress && method !== 'HEAD' && !isPassedThrough(whole.request, encoding);
    const encodings = undone ? parseEncodings(encoding) : [];
    if (encodings.length > this.#limits.maxEncodings || !isDecodable(encodings)) {
      const detail = 'has content encodings that were not asked for';
      const error = new HttpDecodeError(subject, 'encoding', status, detail);
      whole.fail(error, status);
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
      attempts: whole.log.records,
      encodings,
      copy: kept === 'copy' ? new BodyCopy(this.#limits.maxBytes) : undefined,
      signals: [execution.signal, work?.cancellation],
      onClose: () => source?.close(),
    });
    setBody(response, this.#body);
    whole.log.trace?.responseStarted(whole.context.attempt, controller);
    this.#stream.begun = true;
    whole.settleWithStream(response, headers);
  }

  onResponseData(controller: DispatchController, chunk: Uint8Array): void {
    if (this.#body === undefined) this.#whole.onResponseData(controller, chunk);
    else this.#body.deliver(chunk);
  }

  onResponseEnd(): void {
    const body = this.#body;
    const cut = body === undefined ? undefined : truncationError(this.#whole.headers);
    if (body === undefined) this.#whole.onResponseEnd();
    else if (cut === undefined) body.finish();
    else body.destroy(networkFailure(this.#whole.request, cut, 'response', false));
  }

  onResponseError(controller: DispatchController | null, error: Error): void {
    if (this.#body === undefined) this.#whole.onResponseError(controller, error);
    else this.#body.destroy(networkFailure(this.#whole.request, error, 'response', false));
  }
}
