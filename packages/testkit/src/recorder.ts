/**
 * Records the responses of a real service to a file and replays them, so that tests need the service only once. It takes
 * the place of undici's dispatcher, so that the client above it (retries, limits, decoding) is the real one. undici's own
 * SnapshotAgent does not redact, waits before it sends, and is experimental.
 */
import { assertKnownOptions, assertObject, assertOneOf, assertText, OptionsError } from '@macadam/core';
import { RecordingError } from './errors.ts';
import type { RecorderDispatcher, RecorderHandler, RecorderRequest } from './recorder-dispatcher.ts';
import { bodyBytes, requestKey } from './recorded-request.ts';
import { loadRecording, saveRecording, type RecordedExchange, type RecordedRequest } from './recording.ts';
import { RecordingHandler } from './recording-handler.ts';
import { Redaction, type RedactOptions } from './redaction.ts';
import { replay } from './replay.ts';

/** Options of {@link createRecorder}. */
export interface RecorderOptions {
  /** The path of the recording, a JSON file to be kept with the tests; relative to the working directory. Required. */
  path: string;
  /** `record` sends requests and writes the file on `close()`; `replay` answers from the file and sends nothing. Required. */
  mode: 'record' | 'replay';
  /** The dispatcher that sends requests, such as an undici `Agent`. Required with `record`, ignored with `replay`. */
  through?: RecorderDispatcher;
  /** What to redact besides known credentials. Default: nothing else. */
  redact?: RedactOptions;
  /** Whether a replayed request must have the recorded body. Use false for bodies that contain a boundary or a time. Default: true. */
  matchBody?: boolean;
}

/** Records or replays HTTP exchanges. Pass its `dispatcher` to a client that takes one of undici. */
export interface Recorder extends AsyncDisposable {
  /** The dispatcher for the client under test. */
  readonly dispatcher: { dispatch(request: RecorderRequest, handler: RecorderHandler): boolean };
  /** The exchanges recorded, redacted, in the order of their requests. */
  readonly exchanges: readonly RecordedExchange[];
  /** The recorded requests that this replay has not used; empty when recording. */
  unused(): RecordedRequest[];
  /** Writes the file, when recording. May be called more than once. */
  close(): Promise<void>;
}

/**
 * Makes a recorder for HTTP exchanges. In a replay each request must have been recorded with the same method, URL and body; a repeated
 * request gets the next response recorded for it. Other requests fail with `MAC_RECORDING_MISSING` and are not sent.
 *
 * Credentials are redacted: known headers, query values and fields of JSON and forms, JSON Web Tokens, and what `redact` names. Still,
 * read the file before you share it.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @throws RecordingError (`MAC_RECORDING_MISSING`, `MAC_RECORDING_INVALID`) for a file that does not exist or is not a recording.
 * @example
 * ```ts
 * import { tmpdir } from 'node:os';
 * import { join } from 'node:path';
 * import { createRecorder } from '@macadam/testkit';
 * import { Agent } from 'undici';
 *
 * const path = join(tmpdir(), 'macadam', 'billing.json');
 * const recorder = createRecorder({ path, mode: 'record', through: new Agent() });
 * // createHttpClient({ baseUrl, dispatcher: recorder.dispatcher })
 * await recorder.close();
 * ```
 */
export function createRecorder(options: RecorderOptions): Recorder {
  assertObject('createRecorder', options);
  assertKnownOptions('createRecorder', options, ['path', 'mode', 'through', 'redact', 'matchBody']);
  const { path, mode, through, matchBody = true } = options;
  assertText('createRecorder.path', path);
  // As a path, a file URL would name a folder `file:` in the working directory.
  if (path.startsWith('file:')) {
    throw new OptionsError('createRecorder.path', path, 'a path; fileURLToPath() converts a URL to one');
  }
  assertOneOf('createRecorder.mode', mode, ['record', 'replay']);
  const redaction = new Redaction(options.redact);
  if (mode === 'replay') return new ReplayingRecorder(path, redaction, matchBody);
  if (typeof through?.dispatch !== 'function') {
    throw new OptionsError('createRecorder.through', through, 'a dispatcher to record through');
  }
  return new RecordingRecorder(path, redaction, through);
}

class RecordingRecorder implements Recorder {
  readonly #path: string;
  readonly #redaction: Redaction;
  readonly #through: RecorderDispatcher;
  /** One slot per request, in the order of the requests. It is filled when the response is complete. */
  readonly #slots: { exchange: RecordedExchange | undefined }[] = [];

  constructor(path: string, redaction: Redaction, through: RecorderDispatcher) {
    this.#path = path;
    this.#redaction = redaction;
    this.#through = through;
  }

  readonly dispatcher: Recorder['dispatcher'] = {
    dispatch: (request, handler) => {
      const slot: { exchange: RecordedExchange | undefined } = { exchange: undefined };
      this.#slots.push(slot);
      const send = (body: Uint8Array | undefined): boolean => {
        const sent = { ...request, headers: withoutEncodings(request.headers), body: body ?? null };
        const recorded = this.#redaction.request(request, body);
        const onComplete = (exchange: RecordedExchange): void => void (slot.exchange = exchange);
        const recording = new RecordingHandler(handler, recorded, this.#redaction, onComplete);
        return this.#through.dispatch(sent as never, recording as never);
      };
      const body = bodyBytes(request.body);
      if (!(body instanceof Promise)) return send(body);
      body.then(send).catch((error: Error) => handler.onResponseError?.(null as never, error));
      return true;
    },
  };

  get exchanges(): readonly RecordedExchange[] {
    return this.#slots.flatMap(({ exchange }) => exchange ?? []);
  }

  unused(): RecordedRequest[] {
    return [];
  }

  close(): Promise<void> {
    return saveRecording(this.#path, this.exchanges);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

class ReplayingRecorder implements Recorder {
  readonly exchanges: readonly RecordedExchange[];
  readonly #path: string;
  readonly #redaction: Redaction;
  readonly #matchBody: boolean;
  /** The exchanges not yet used, by the key of their request. */
  readonly #unused = new Map<string, RecordedExchange[]>();

  constructor(path: string, redaction: Redaction, matchBody: boolean) {
    this.#path = path;
    this.#redaction = redaction;
    this.#matchBody = matchBody;
    this.exchanges = loadRecording(path);
    for (const exchange of this.exchanges) {
      const key = requestKey(exchange.request, matchBody);
      const same = this.#unused.get(key);
      if (same === undefined) this.#unused.set(key, [exchange]);
      else same.push(exchange);
    }
  }

  readonly dispatcher: Recorder['dispatcher'] = {
    dispatch: (request, handler) => {
      void this.#replay(request, handler);
      return true;
    },
  };

  async #replay(request: RecorderRequest, handler: RecorderHandler): Promise<void> {
    let exchange: RecordedExchange | undefined;
    try {
      const redacted = this.#redaction.request(request, await bodyBytes(request.body));
      exchange = this.#unused.get(requestKey(redacted, this.#matchBody))?.shift();
      if (exchange === undefined) throw this.#missing(redacted);
    } catch (error) {
      handler.onResponseError?.(null as never, error as Error);
      return;
    }
    replay(exchange.response, handler);
  }

  #missing({ method, url }: RecordedRequest): RecordingError {
    const known = this.exchanges.some(({ request }) => request.method === method && request.url === url);
    const why = known ? 'was recorded with another body, or less often' : 'was not recorded';
    return new RecordingError('MAC_RECORDING_MISSING', `${method} ${url} ${why}`, this.#path);
  }

  unused(): RecordedRequest[] {
    const unused = new Set([...this.#unused.values()].flat());
    return this.exchanges.filter((exchange) => unused.has(exchange)).map(({ request }) => request);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Asks for a body without a content encoding, which can be redacted, and which people can read. */
function withoutEncodings(headers: unknown): unknown {
  if (!Array.isArray(headers)) return headers;
  return headers.map((one: unknown, i) =>
    i % 2 === 1 && String(headers[i - 1]).toLowerCase() === 'accept-encoding' ? 'identity' : one,
  );
}
