import type { HttpAttempt } from './attempts.ts';
import type { PreparedRequest } from './request.ts';
import { METHODS, redactedUrl, spanName, type SpanAttributes } from './trace-attributes.ts';

/**
 * The telemetry attributes of requests with one method and path to one endpoint. Objects are created once and reused: that is
 * cheaper here, and an SDK handles an object that it has seen before faster.
 */
export class RequestAttributes {
  readonly method: string;
  readonly endpoint: string;
  readonly spanName: string;
  readonly #server: Server;
  #usualStart: SpanAttributes | undefined = undefined;
  /** The status and protocol of `#lastSuccess`. */
  #status: number | undefined = undefined;
  #protocol: string | undefined = undefined;
  #lastSuccess: SpanAttributes | undefined = undefined;

  constructor(request: PreparedRequest, endpoint: string) {
    this.method = request.method;
    this.endpoint = endpoint;
    this.spanName = spanName(request);
    this.#server = serverOf(endpoint);
  }

  /** The attributes known when a request starts, which a sampler may decide by. */
  start(request: PreparedRequest, resends: number): SpanAttributes {
    // The attributes of a request with a query, and of a redirected one, are its own.
    const isUsual = resends === 0 && request.hop === undefined && !request.path.includes('?');
    return isUsual
      ? (this.#usualStart ??= startAttributes(request, this.#server, 0))
      : startAttributes(request, this.#server, resends);
  }

  /** The attributes of the metric. */
  end({ status }: HttpAttempt, protocol: string | undefined, errorType: string | undefined): SpanAttributes {
    if (errorType !== undefined) return endAttributes(this.method, this.#server, status, protocol, errorType);
    if (this.#lastSuccess === undefined || this.#status !== status || this.#protocol !== protocol) {
      this.#status = status;
      this.#protocol = protocol;
      this.#lastSuccess = endAttributes(this.method, this.#server, status, protocol, undefined);
    }
    return this.#lastSuccess;
  }
}

/** The attributes of a request, cached on its path template. */
export function requestAttributesOf(request: PreparedRequest, { endpoint }: HttpAttempt): RequestAttributes {
  const { template, method } = request;
  const { requestAttributes } = template;
  if (requestAttributes?.method === method && requestAttributes.endpoint === endpoint) return requestAttributes;
  return (template.requestAttributes = new RequestAttributes(request, endpoint));
}

interface Server {
  readonly address: string;
  readonly port: number;
}

function serverOf(endpoint: string): Server {
  const at = endpoint.lastIndexOf(':');
  const address = endpoint.startsWith('[') ? endpoint.slice(1, at - 1) : endpoint.slice(0, at);
  return { address, port: Number(endpoint.slice(at + 1)) };
}

function startAttributes(request: PreparedRequest, { address, port }: Server, resends: number): SpanAttributes {
  const { method } = request;
  const attributes: SpanAttributes = {
    'http.request.method': METHODS.has(method) ? method : '_OTHER',
    'server.address': address,
    'server.port': port,
    'url.full': redactedUrl(request),
  };
  if (!METHODS.has(method)) attributes['http.request.method_original'] = method;
  if (resends > 0) attributes['http.request.resend_count'] = resends;
  return attributes;
}

/** In alphabetical order, since an SDK sorts them. */
function endAttributes(
  method: string,
  { address, port }: Server,
  status: number | undefined,
  protocol: string | undefined,
  errorType: string | undefined,
): SpanAttributes {
  const attributes: SpanAttributes = errorType === undefined ? {} : { 'error.type': errorType };
  attributes['http.request.method'] = METHODS.has(method) ? method : '_OTHER';
  if (status !== undefined) attributes['http.response.status_code'] = status;
  if (protocol !== undefined) attributes['network.protocol.version'] = protocol;
  attributes['server.address'] = address;
  attributes['server.port'] = port;
  return attributes;
}
