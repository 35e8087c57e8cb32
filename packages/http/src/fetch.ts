import { OptionsError, withheld } from '@macadam/core';
import { isFormData } from './body/multipart.ts';
import { isStreamedBody, type StreamedBody } from './body/source.ts';
import { captureRule } from './http-cache/capture-rule.ts';
import { storageContext } from './http-cache/cache-context.ts';
import { TRANSPORT_HEADERS, type RequestHeaders } from './headers.ts';
import type { PathTemplate } from './path-template.ts';
import { redactQuery } from './query.ts';
import { isRedirectStatus } from './redirect.ts';
import { prepareRequest, streamedRequest, type PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import type { HttpResponse } from './response.ts';
import type { HttpClientSettings } from './settings.ts';
import { discard, streamOf } from './stream/http-stream.ts';
import { streamSettings } from './stream/options.ts';
import { webBody } from './stream/web-body.ts';

/** The signature of the standard `fetch`. */
export type FetchFunction = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

/** Statuses whose responses have no body, not even an empty one (Fetch, "null body status"). */
const NULL_BODY: ReadonlySet<number> = new Set([204, 205, 304]);
const REDIRECT_MODES: ReadonlySet<string> = new Set(['follow', 'manual', 'error']);
/** The `Cache-Control` of the cache modes that bypass or revalidate (Fetch, "HTTP-network-or-cache fetch"). */
const CACHE_MODES: ReadonlyMap<unknown, string> = new Map([
  ['no-store', 'no-cache, no-store'],
  ['reload', 'no-cache'],
  ['no-cache', 'max-age=0'],
]);
/** The reason phrases that the constructor of `Response` accepts. */
const REASON_PHRASE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Makes a call with a prepared request. */
type Send = (request: PreparedRequest, options: AnyRequestOptions) => Promise<HttpResponse>;

/**
 * Creates the standard `fetch` of a client, with the limits, retries, credentials and redirects of the client. All attempts are
 * below it, so code on top of it (middleware, a generated client) sees one request and one response.
 */
export function makeFetch(settings: HttpClientSettings, send: Send): FetchFunction {
  const { cache, limits, clock, streams } = settings;
  const capture = cache && captureRule(storageContext(cache, settings), clock);
  return async (input, options) => {
    const init = options ?? {};
    const request = isRequest(input) ? input : undefined;
    const url = targetOf(settings, request?.url ?? String(input));
    const method = (init.method ?? request?.method ?? 'GET').toUpperCase();
    const redirect = init.redirect ?? request?.redirect ?? 'follow';
    if (!REDIRECT_MODES.has(redirect)) throw new TypeError('redirect must be "follow", "manual" or "error"');
    // The client cannot check it, so ignoring it would be a security hole.
    if (init.integrity) throw new OptionsError('fetch.integrity', init.integrity, 'left out: bodies are not digested');
    const caching = CACHE_MODES.get(cacheModeOf(init) ?? cacheModeOf(request));
    const headers = headersOf(init.headers ?? request?.headers, caching);
    const body = init.body ?? request?.body;
    if (body != null && (method === 'GET' || method === 'HEAD')) throw new TypeError(`A ${method} request has no body`);
    if (request?.bodyUsed === true && init.body == null) throw new TypeError('The body of the request was read');
    const signal = (init.signal === undefined ? request?.signal : init.signal) ?? undefined;
    const requestOptions: AnyRequestOptions = {
      headers,
      ...bodyOf(body, headers),
      ...('idempotency-key' in headers && { idempotent: true }),
      signal,
    };
    const stream = streamSettings({}, false, streams);
    stream.redirect = redirect === 'follow' && settings.redirects !== false ? 'follow' : 'manual';
    stream.captureRule = capture;
    stream.maxRatio = limits.maxRatio;
    const prepared = streamedRequest(prepareRequest(settings, method, templateOf(url), requestOptions), stream);
    const response = await send(prepared, { throwOnStatus: false });
    if (redirect === 'error' && isRedirectStatus(response.status)) {
      discard(response);
      throw new TypeError(`Answered ${response.status}, and redirects are an error`);
    }
    return toResponse(response, prepared, url, signal);
  };
}

function isRequest(input: unknown): input is Request {
  return typeof input === 'object' && input !== null && 'url' in input;
}

/** Resolves the input of `fetch`: a URL at the origin of the client, or a path below its `baseUrl`. */
function targetOf({ origin, pathPrefix }: HttpClientSettings, text: string): URL {
  // A path is relative to `baseUrl`, as in get().
  const whole = text.startsWith('/') && !text.startsWith('//') ? origin + pathPrefix + text : text;
  // The error of the URL constructor would show the complete input.
  if (!URL.canParse(whole)) throw new OptionsError('fetch.input', withheld(text), `a URL at ${origin}, or a path`);
  const url = new URL(whole);
  if (url.origin !== origin) throw new OptionsError('fetch.input', url.origin, `a URL at ${origin}`);
  if (url.username !== '' || url.password !== '') {
    throw new OptionsError('fetch.input', withheld(text), 'a URL without credentials: send them in a header');
  }
  return url;
}

/** A template without parameters for a complete URL. */
function templateOf(url: URL): PathTemplate {
  const path = url.pathname + url.search;
  const printable = url.search === '' ? path : url.pathname + redactQuery(url.search);
  return {
    printable,
    fixed: path,
    route: '*',
    hasQuery: url.search !== '',
    build: () => path,
    requestAttributes: undefined,
  };
}

/** `cache` is missing in the types of Node.js. */
function cacheModeOf(given: object | undefined): string | undefined {
  return (given as { cache?: string } | undefined)?.cache;
}

/** Leaves out the headers that the connection sets, as the standard does with forbidden ones. */
function headersOf(given: RequestInit['headers'] | undefined, caching: string | undefined): Record<string, string> {
  const headers: Record<string, string> = {};
  if (caching !== undefined) headers['cache-control'] = caching;
  if (given === undefined) return headers;
  for (const [name, value] of given instanceof Headers ? given : new Headers(given)) {
    if (!TRANSPORT_HEADERS.has(name)) headers[name] = value;
  }
  return headers;
}

function bodyOf(body: RequestInit['body'] | Request['body'] | undefined, headers: RequestHeaders): AnyRequestOptions {
  if (body === undefined || body === null) return {};
  if (typeof body === 'string') return { body };
  if (body instanceof URLSearchParams) {
    const type = headers['content-type'] ?? 'application/x-www-form-urlencoded;charset=UTF-8';
    return { body: body.toString(), headers: { ...headers, 'content-type': type } };
  }
  if (isFormData(body)) return { multipart: body };
  const bytes = bytesOf(body);
  if (bytes === undefined) return { body: String(body) };
  // The standard adds no content type to bytes. With one, the signature of a request signed without it would be invalid.
  const hasType = 'content-type' in headers || (bytes instanceof Blob && bytes.type !== '');
  return { body: bytes, ...(!hasType && { headers: { ...headers, 'content-type': undefined } }) };
}

function bytesOf(body: object): Uint8Array | Blob | StreamedBody | undefined {
  if (body instanceof Blob || body instanceof Uint8Array) return body;
  if (body instanceof ArrayBuffer) return new Uint8Array(body);
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  return isStreamedBody(body) ? body : undefined;
}

function toResponse(
  httpResponse: HttpResponse,
  { stream, subject, method }: PreparedRequest,
  url: URL,
  signal: AbortSignal | undefined,
): Response {
  const { status, headers, body } = streamOf(httpResponse, subject);
  const all = new Headers();
  for (const [name, value] of headers) {
    if (name === 'set-cookie') for (const cookie of headers.getSetCookie()) all.append(name, cookie);
    else all.append(name, value);
  }
  const hasNoBody = NULL_BODY.has(status) || method === 'HEAD';
  if (hasNoBody) body.resume();
  const statusText = stream?.statusText ?? '';
  const isStatusRejected = status > 599;
  const isTextRejected = !REASON_PHRASE.test(statusText);
  const init = { status: isStatusRejected ? 502 : status, statusText: isTextRejected ? '' : statusText, headers: all };
  const response = new Response(hasNoBody ? null : (webBody(body, signal) as ReadableStream), init);
  const properties: ResponseProperties = {
    url: stream?.url ?? url.href.replace(/#.*$/s, ''),
    redirected: stream?.redirected === true,
    type: 'basic',
  };
  if (isStatusRejected) properties.status = status;
  if (isTextRejected) properties.statusText = statusText;
  return defineProperties(response, properties);
}

/** Properties that the constructor of `Response` cannot set; status and text only if it rejects their values. */
interface ResponseProperties {
  readonly url: string;
  readonly redirected: boolean;
  readonly type: 'basic';
  status?: number;
  statusText?: string;
}

function defineProperties(response: Response, properties: ResponseProperties): Response {
  for (const [name, value] of Object.entries(properties)) Object.defineProperty(response, name, { value });
  // `clone()` uses the constructor as well.
  const clone = (): Response => defineProperties(Response.prototype.clone.call(response), properties);
  return Object.defineProperty(response, 'clone', { value: clone });
}
