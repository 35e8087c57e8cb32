/**
 * Records what a service really answered, and gives those answers again: tests that talk to a service once, and from
 * then on to a file. It stands where undici's dispatcher stands, so everything above (retries, limits, decoding) is the
 * real thing. undici's own SnapshotAgent does not redact, waits before it sends, and is experimental.
 */
import { assertKnownOptions, assertObject, assertOneOf, assertText, OptionsError } from '@macadam/core';
import { RecordingError } from './errors.ts';
import { readBody, requestKey } from './recorded-request.ts';
import { loadRecording, saveRecording, type RecordedExchange, type RecordedRequest } from './recording.ts';
import { RecordingHandler } from './recording-handler.ts';
import { Redaction, type RedactOptions } from './redaction.ts';
import { replay } from './replay.ts';

/** What is sent, as undici's dispatchers take it. */
export interface RecorderRequest {
  readonly origin?: string | URL | null | undefined;
  readonly path: string;
  /** Appended to the path: what `request` of undici makes of its option of this name. */
  readonly query?: unknown;
  readonly method: string;
  readonly headers?: unknown;
  readonly body?: unknown;
}

/** Who is told what comes back, as undici has it. */
export interface RecorderHandler {
  onRequestStart?(controller: RecorderController, context: unknown): void;
  onResponseStart?(
    controller: RecorderController,
    status: number,
    headers: Record<string, string | string[]>,
    statusText?: string,
  ): void;
  onResponseData?(controller: RecorderController, chunk: Buffer): void;
  onResponseEnd?(controller: RecorderController, trailers: Record<string, string | string[]>): void;
  onResponseError?(controller: RecorderController, error: Error): void;
}

/** What a handler can do about what comes back. */
export interface RecorderController {
  readonly aborted: boolean;
  readonly paused: boolean;
  readonly reason: Error | null;
  pause(): void;
  resume(): void;
  abort(reason: Error): void;
}

/** What requests are sent through: an undici `Agent`, `Pool`, `ProxyAgent`, or a recorder. */
export interface RecorderDispatcher {
  dispatch(request: never, handler: never): boolean;
}

export interface RecorderOptions {
  /** The file: JSON, to be kept with the tests. A path, seen from where the process runs unless it is absolute. */
  path: string;
  /** `record` asks the service and writes the file on `close()`; `replay` answers from the file and asks nobody. */
  mode: 'record' | 'replay';
  /** What really sends, when recording: an undici `Agent`, say. Ignored in `replay`. */
  through?: RecorderDispatcher;
  /** What else is secret, besides what is known to be; see {@link RedactOptions}. */
  redact?: RedactOptions;
  /** Whether the bodies of requests must be the same. Off for bodies with a boundary or a time in them. Default: true. */
  matchBody?: boolean;
}

/** A recorder; hand its `dispatcher` to whatever takes one of undici. */
export interface Recorder extends AsyncDisposable {
  readonly dispatcher: { dispatch(request: RecorderRequest, handler: RecorderHandler): boolean };
  /** What was recorded, redacted, in the order it was asked for. */
  readonly exchanges: readonly RecordedExchange[];
  /** What was recorded and not asked for in this replay: a test may insist that there is nothing. */
  unused(): RecordedRequest[];
  /** Writes the file when recording. */
  close(): Promise<void>;
}

/**
 * Makes a recorder. In a replay every request must have been recorded, with the same method, URL and body; the same
 * request again gets the next answer it got then. One that was not fails with `MAC_RECORDING_MISSING`, and is not sent.
 *
 * Credentials do not reach the file: header fields, query values and fields of JSON (by the line, in events and within texts
 * too) and of forms that are known to hold them, whatever looks like a JSON Web Token, and what `redact` names. Look at the file before you share it all the same.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @throws RecordingError (`MAC_RECORDING_MISSING`, `MAC_RECORDING_INVALID`) for a file that is not there, or is no recording.
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
  // It would be a folder named `file:` below the current one.
  if (path.startsWith('file:')) {
    throw new OptionsError('createRecorder.path', path, 'a path; fileURLToPath() makes one of a URL');
  }
  assertOneOf('createRecorder.mode', mode, ['record', 'replay']);
  const redaction = new Redaction(options.redact);
  if (mode === 'replay') return new Replayer(path, redaction, matchBody);
  if (typeof through?.dispatch !== 'function') {
    throw new OptionsError('createRecorder.through', through, 'a dispatcher to record through');
  }
  return new Tape(path, redaction, through);
}

/** Records. */
class Tape implements Recorder {
  readonly #path: string;
  readonly #redaction: Redaction;
  readonly #through: RecorderDispatcher;
  /** In the order they were asked for; an answer comes later, or never. */
  readonly #asked: { exchange: RecordedExchange | undefined }[] = [];

  constructor(path: string, redaction: Redaction, through: RecorderDispatcher) {
    this.#path = path;
    this.#redaction = redaction;
    this.#through = through;
  }

  readonly dispatcher: Recorder['dispatcher'] = {
    dispatch: (request, handler) => {
      const slot: { exchange: RecordedExchange | undefined } = { exchange: undefined };
      this.#asked.push(slot);
      const send = (body: Uint8Array | undefined): boolean => {
        const own = { ...request, headers: unencoded(request.headers), body: body ?? null };
        const asked = this.#redaction.request(request, body);
        const done = (exchange: RecordedExchange): void => void (slot.exchange = exchange);
        const recording = new RecordingHandler(handler, asked, this.#redaction, done);
        return this.#through.dispatch(own as never, recording as never);
      };
      const body = readBody(request.body);
      if (!(body instanceof Promise)) return send(body);
      body.then(send).catch((error: Error) => handler.onResponseError?.(null as never, error));
      return true;
    },
  };

  get exchanges(): readonly RecordedExchange[] {
    return this.#asked.flatMap(({ exchange }) => exchange ?? []);
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

/** Gives again what was recorded. */
class Replayer implements Recorder {
  readonly exchanges: readonly RecordedExchange[];
  readonly #path: string;
  readonly #redaction: Redaction;
  readonly #matchBody: boolean;
  /** What is left, by what it answers. */
  readonly #left = new Map<string, RecordedExchange[]>();

  constructor(path: string, redaction: Redaction, matchBody: boolean) {
    this.#path = path;
    this.#redaction = redaction;
    this.#matchBody = matchBody;
    this.exchanges = loadRecording(path);
    for (const exchange of this.exchanges) {
      const key = requestKey(exchange.request, matchBody);
      const same = this.#left.get(key);
      if (same === undefined) this.#left.set(key, [exchange]);
      else same.push(exchange);
    }
  }

  readonly dispatcher: Recorder['dispatcher'] = {
    dispatch: (request, handler) => {
      void this.#answer(request, handler);
      return true;
    },
  };

  async #answer(request: RecorderRequest, handler: RecorderHandler): Promise<void> {
    let exchange: RecordedExchange | undefined;
    try {
      const asked = this.#redaction.request(request, await readBody(request.body));
      exchange = this.#left.get(requestKey(asked, this.#matchBody))?.shift();
      if (exchange === undefined) throw this.#missing(asked);
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
    const left = new Set([...this.#left.values()].flat());
    return this.exchanges.filter((exchange) => left.has(exchange)).map(({ request }) => request);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A body that comes as it is can be redacted, and read by people. */
function unencoded(headers: unknown): unknown {
  if (!Array.isArray(headers)) return headers;
  return headers.map((one: unknown, i) =>
    i % 2 === 1 && String(headers[i - 1]).toLowerCase() === 'accept-encoding' ? 'identity' : one,
  );
}
