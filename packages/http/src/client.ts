import { assertObject, ClosedError, OptionsError, underPath } from '@macadam/core';
import type { ExecuteContext } from '@macadam/resilience';
import { annotateCall } from './annotate-call.ts';
import { AttemptLog } from './attempts.ts';
import { closeAfter } from './body/source.ts';
import { concludeCall } from './call-error.ts';
import { isCancelReason } from './cancel-reason.ts';
import { Dedupe } from './dedupe.ts';
import { describeClient } from './describe-client.ts';
import type { Transport } from './dispatcher.ts';
import { Balancer } from './endpoints/balancer.ts';
import { waitForEndpoints } from './endpoints/wait-for-endpoints.ts';
import { HttpCache } from './http-cache/http-cache.ts';
import { cacheContext } from './http-cache/cache-context.ts';
import { makeFetch, type FetchFunction } from './fetch.ts';
import type { HttpClient, HttpClientStats } from './http-client.ts';
import { observeClient, traceCall } from './instruments.ts';
import type { HttpClientOptions } from './options.ts';
import { PathTemplates } from './path-template.ts';
import { createPolicies, type Policies } from './policies.ts';
import { hasTwoSignals, withJoinedSignals } from './joined-signals.ts';
import { prepareRequest, streamedRequest, type PreparedRequest } from './request.ts';
import type { AnyRequestOptions } from './request-options.ts';
import { applySchema } from './response-schema.ts';
import { bodyOf, setAttempts, type HttpResponse } from './response.ts';
import { Sender } from './sender.ts';
import { startPinnedCall } from './pinned-call.ts';
import { errorTypeOf, type TracedClient } from './trace-attributes.ts';
import { httpClientSettings, type HttpClientSettings } from './settings.ts';
import { streamOf, type HttpStream } from './stream/http-stream.ts';
import { streamSettings, type StreamOptions } from './stream/options.ts';
import { createTransport } from './transport/transport.ts';

/** The client behind `createHttpClient`: the public methods, and one call from its options to its result. */
class PooledHttpClient {
  readonly name: string;
  readonly #settings: HttpClientSettings;
  readonly fetch: FetchFunction;
  readonly #templates: PathTemplates;
  readonly #policies: Policies;
  readonly #balancer: Balancer | undefined;
  readonly #transport: Transport;
  readonly #sender: Sender;
  readonly #dedupe: Dedupe | undefined;
  readonly #cache: HttpCache | undefined;
  readonly #traced: TracedClient;
  #calls = 0;
  #succeeded = 0;
  #failed = 0;
  #closing: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(settings: HttpClientSettings) {
    this.name = settings.name;
    this.#settings = settings;
    this.fetch = makeFetch(settings, (request, options) => {
      this.#assertOpen();
      return this.#start(request, options);
    });
    this.#templates = new PathTemplates(settings.pathPrefix);
    this.#policies = createPolicies(settings);
    this.#balancer = settings.endpoints && new Balancer(settings, settings.endpoints);
    this.#transport = this.#balancer?.transport ?? createTransport(settings.origin, settings);
    this.#sender = new Sender(settings, this.#transport);
    const { cache, name, clock, peer, baggage } = settings;
    this.#traced = { name, propagates: peer === 'internal', baggage, clock };
    this.#cache =
      cache &&
      new HttpCache(cache, cacheContext(cache, settings, this.#traced), (request, log) => this.#execute(request, log));
    if (settings.dedupe) this.#dedupe = new Dedupe(settings, this.#traced, (...shared) => this.#call(...shared));
    observeClient(this);
  }

  get(path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    return this.request('GET', path, options);
  }

  head(path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    return this.request('HEAD', path, options);
  }

  post(path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    return this.request('POST', path, options);
  }

  put(path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    return this.request('PUT', path, options);
  }

  patch(path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    return this.request('PATCH', path, options);
  }

  delete(path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    return this.request('DELETE', path, options);
  }

  // Not `async`: that would wrap the promise of the call in another one, which costs three microtasks.
  request(method: string, path: string, options?: AnyRequestOptions): Promise<HttpResponse> {
    try {
      this.#assertOpen();
      return this.#start(prepareRequest(this.#settings, method, this.#templates.get(path), options), options);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  async stream(method: string, path: string, options: StreamOptions & AnyRequestOptions = {}): Promise<HttpStream> {
    this.#assertOpen();
    const { throwOnStatus, streams } = this.#settings;
    assertObject('request', options);
    const stream = streamSettings(options, options.throwOnStatus ?? throwOnStatus, streams);
    const { idleTimeoutMs, unreadTimeoutMs, maxBytes, decompress, ...others } = options;
    if (others.schema !== undefined) throw new OptionsError('request.schema', others.schema, 'left out of a stream');
    const request = streamedRequest(prepareRequest(this.#settings, method, this.#templates.get(path), others), stream);
    return streamOf(await this.#start(request, others), request.subject);
  }

  #start(request: PreparedRequest, options: AnyRequestOptions | undefined): Promise<HttpResponse> {
    if (hasTwoSignals(request)) {
      return withJoinedSignals(request, this.#settings.clock, (joined) => this.#start(joined, options));
    }
    const key = this.#dedupe?.keyOf(request);
    return key === undefined ? this.#call(request, options) : (this.#dedupe as Dedupe).execute(key, request, options);
  }

  #assertOpen(): void {
    if (this.#closing === undefined) return;
    throw new ClosedError(`HTTP client "${this.name}"`);
  }

  async #call(
    request: PreparedRequest,
    options: AnyRequestOptions | undefined,
    log: AttemptLog = new AttemptLog(this.#settings.clock.monotonic()),
  ): Promise<HttpResponse> {
    this.#calls++;
    log.trace = traceCall(this.#traced, request);
    try {
      const pending = this.#cache === undefined ? this.#execute(request, log) : this.#cache.execute(request, log);
      log.isFresh = false;
      const response = await pending;
      if (request.source !== undefined) closeAfter(bodyOf(response), request.source);
      if (options?.schema !== undefined && response.ok) await applySchema(response, options.schema);
      setAttempts(response, log.records);
      log.trace?.end(log, undefined);
      this.#succeeded++;
      return response;
    } catch (error) {
      const outcome = concludeCall(error, { request, log, options, settings: this.#settings });
      if (request.source !== undefined) closeAfter(outcome.response && bodyOf(outcome.response), request.source);
      log.trace?.end(log, isCancelReason(error, request) ? undefined : errorTypeOf(outcome.response ?? outcome.error));
      if (outcome.response === undefined) {
        this.#failed++;
        throw outcome.error;
      }
      this.#succeeded++;
      return outcome.response;
    } finally {
      this.#dedupe?.callEnded(request);
      if (request.work !== undefined) annotateCall(request.work, log, this.#settings.clock.monotonic());
      if (this.#onIdle !== undefined && this.#inFlight === 0) this.#onIdle();
    }
  }

  #execute(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const endpoints = this.#balancer?.ensureList();
    if (endpoints === undefined) return this.#run(request, log);
    const { timeoutMs, clock } = this.#settings;
    return waitForEndpoints(endpoints, request.execution, timeoutMs, clock).then((execution) => {
      log.limitedFrom = clock.monotonic();
      return this.#run({ ...request, execution }, log);
    });
  }

  #run(request: PreparedRequest, log: AttemptLog): Promise<HttpResponse> {
    const policies = this.#policies.routes?.for(request.subject.route as string) ?? this.#policies;
    const policy = request.repeatable ? policies.repeatable : policies.once;
    const attempt = (context: ExecuteContext): Promise<HttpResponse> => this.#sender.attempt(request, log, context);
    return policy.execute(attempt, this.#balancer?.executeOptions(request, log) ?? request.execution);
  }

  get #inFlight(): number {
    return this.#calls - this.#succeeded - this.#failed;
  }

  describe(): string {
    return describeClient(this.#settings, { transport: this.#transport, policies: this.#policies, cache: this.#cache });
  }

  stats(): HttpClientStats {
    return {
      calls: this.#calls,
      succeeded: this.#succeeded,
      failed: this.#failed,
      inFlight: this.#inFlight,
      attempts: this.#sender.attempts,
      policies: this.#policies.stats(),
      routes: this.#policies.routes?.stats() ?? {},
      joined: this.#dedupe?.stats().joined ?? 0,
      cache: this.#cache?.stats(),
      connections: this.#transport.stats(),
      endpoints: this.#balancer?.stats() ?? [],
      regions: this.#balancer?.regions() ?? [],
      balancing: this.#balancer?.balancing(),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#drain();
    return this.#closing;
  }

  async #drain(): Promise<void> {
    await this.#dedupe?.whenIdle();
    if (this.#inFlight > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    await this.#cache?.settled();
    await this.#transport.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Makes a client for the service at `baseUrl`. Make one for each service and keep it: it holds the connections, the
 * retry budget and the circuit breaker.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option, naming its path, the value and what is allowed.
 * @example
 * ```ts
 * import { createServer } from 'node:http';
 * import { createHttpClient } from '@macadam/http';
 *
 * const server = createServer((_, response) => response.end('{"total":7}')).listen(0);
 * const { port } = server.address() as { port: number };
 *
 * const billing = createHttpClient({ name: 'billing', baseUrl: `http://localhost:${port}`, timeoutMs: 2_000 });
 * const { data, attempts } = await billing.get('/invoices/{id}', { params: { id: 42 } });
 * await billing.close();
 * server.close();
 * ```
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  assertObject('createHttpClient', options);
  return underPath('createHttpClient', () => new PooledHttpClient(httpClientSettings(options))) as HttpClient;
}

startPinnedCall();
