import type { HttpAttempt } from './attempts.ts';
import type { PreparedRequest } from './request.ts';
import { METHODS, redactedUrl, spanName, type SpanAttributes } from './trace-attributes.ts';

/**
 * What spans and metrics say of requests for one path at one place. Made once: that is cheaper, and so is what an SDK
 * does with fields that it has seen before.
 */
export class RequestAttributes {
  readonly method: string;
  readonly endpoint: string;
  /** Of few kinds: the method, and the template of a path with parameters. */
  readonly spanName: string;
  readonly #place: Place;
  #begun: SpanAttributes | undefined = undefined;
  #status: number | undefined = undefined;
  #protocol: string | undefined = undefined;
  #answered: SpanAttributes | undefined = undefined;

  constructor(request: PreparedRequest, endpoint: string) {
    this.method = request.method;
    this.endpoint = endpoint;
    this.spanName = spanName(request);
    this.#place = placeOf(endpoint);
  }

  /** What is known when a request begins, and what a sampler may decide by. */
  start(request: PreparedRequest, resends: number): SpanAttributes {
    // Of a query each request has its own, and a redirect may lead anywhere.
    const isUsual = resends === 0 && request.hop === undefined && !request.path.includes('?');
    return isUsual
      ? (this.#begun ??= startFields(request, this.#place, 0))
      : startFields(request, this.#place, resends);
  }

  /** What a metric may be counted by. */
  end({ status }: HttpAttempt, protocol: string | undefined, errorType: string | undefined): SpanAttributes {
    if (errorType !== undefined) return endFields(this.method, this.#place, status, protocol, errorType);
    if (this.#answered === undefined || this.#status !== status || this.#protocol !== protocol) {
      this.#status = status;
      this.#protocol = protocol;
      this.#answered = endFields(this.method, this.#place, status, protocol, undefined);
    }
    return this.#answered;
  }
}

/** The fields of a request, which its template keeps. */
export function requestAttributesOf(request: PreparedRequest, { endpoint }: HttpAttempt): RequestAttributes {
  const { template, method } = request;
  const { told } = template;
  if (told?.method === method && told.endpoint === endpoint) return told;
  return (template.told = new RequestAttributes(request, endpoint));
}

interface Place {
  readonly address: string;
  readonly port: number;
}

function placeOf(endpoint: string): Place {
  const at = endpoint.lastIndexOf(':');
  const address = endpoint.startsWith('[') ? endpoint.slice(1, at - 1) : endpoint.slice(0, at);
  return { address, port: Number(endpoint.slice(at + 1)) };
}

function startFields(request: PreparedRequest, { address, port }: Place, resends: number): SpanAttributes {
  const { method } = request;
  const fields: SpanAttributes = {
    'http.request.method': METHODS.has(method) ? method : '_OTHER',
    'server.address': address,
    'server.port': port,
    'url.full': redactedUrl(request),
  };
  if (!METHODS.has(method)) fields['http.request.method_original'] = method;
  if (resends > 0) fields['http.request.resend_count'] = resends;
  return fields;
}

/** In the order of the alphabet, into which an SDK sorts them anyway. */
function endFields(
  method: string,
  { address, port }: Place,
  status: number | undefined,
  protocol: string | undefined,
  errorType: string | undefined,
): SpanAttributes {
  const fields: SpanAttributes = errorType === undefined ? {} : { 'error.type': errorType };
  fields['http.request.method'] = METHODS.has(method) ? method : '_OTHER';
  if (status !== undefined) fields['http.response.status_code'] = status;
  if (protocol !== undefined) fields['network.protocol.version'] = protocol;
  fields['server.address'] = address;
  fields['server.port'] = port;
  return fields;
}
