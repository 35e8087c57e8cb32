// Sends checks to an OpenFGA server, as few requests as possible: all checks of one tick go into one BatchCheck, and equal
// checks are sent once.
import { abortable, type Clock, runDetached, TimeoutError } from '@macadam/core';
import { type FetchLike, fetchBounded } from '../fetch/bounded-fetch.ts';
import { redactedCause, headerSecrets } from '../fetch/redacted-cause.ts';
import { type JsonObject, own, parseStrictObject } from '../jwt/strict-json.ts';

/** How fresh a decision of OpenFGA must be. */
export type Consistency = 'minimizeLatency' | 'higher';

/** A relationship tuple of OpenFGA. */
export interface FgaTuple {
  /** The user, such as `user:u1`. */
  readonly user: string;
  /** The relation, such as `viewer`. */
  readonly relation: string;
  /** The object, such as `document:7`. */
  readonly object: string;
}

/** The body of a Check request of the OpenFGA API. */
export interface FgaCheck {
  readonly tuple_key: FgaTuple;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly contextual_tuples?: { readonly tuple_keys: readonly FgaTuple[] };
}

/** The server and the limits of a request. */
export interface FgaServerSettings {
  /** URL of the store. */
  readonly url: string;
  readonly authorizationModelId: string;
  readonly maxBatch: number;
  readonly timeoutMs: number;
  readonly headersOf: (
    signal: AbortSignal,
  ) => Readonly<Record<string, string>> | Promise<Readonly<Record<string, string>>>;
  readonly fetch: FetchLike;
  readonly clock: Clock;
}

/** Whether the check is allowed, or the error why it could not be decided. */
type CheckResult = boolean | Error;

/** The server did not decide a check. The message contains only the status and the error code of the response. */
export class FgaResponseError extends Error {}
FgaResponseError.prototype.name = 'FgaResponseError';

/** The server refused a check as invalid: a caller can cause that, by a name that is too long. */
export class FgaRequestError extends FgaResponseError {}
FgaRequestError.prototype.name = 'FgaRequestError';

/** Statuses that say nothing about the check: our credentials, and an overloaded server. OpenFGA throttles with 422. */
const OUTAGE_STATUSES: readonly number[] = [401, 403, 408, 422, 429];

interface PendingCheck {
  readonly check: FgaCheck;
  readonly result: Promise<CheckResult>;
  readonly resolve: (result: CheckResult) => void;
}

const CONSISTENCY: Readonly<Record<Consistency, string>> = {
  minimizeLatency: 'MINIMIZE_LATENCY',
  higher: 'HIGHER_CONSISTENCY',
};
/** Fifty results are a few kilobytes. */
const MAX_BYTES = 262_144;

/** Collects the checks of one tick, without a delay, and sends them in batches. Never rejects. */
export class FgaBatcher {
  readonly #server: FgaServerSettings;
  readonly #pending: Readonly<Record<Consistency, Map<string, PendingCheck>>> = {
    minimizeLatency: new Map(),
    higher: new Map(),
  };
  #scheduled = false;
  requests = 0;

  constructor(server: FgaServerSettings) {
    this.#server = server;
  }

  /** @param key - equal for equal checks */
  check(key: string, check: FgaCheck, consistency: Consistency): Promise<CheckResult> {
    const pending = this.#pending[consistency];
    const duplicate = pending.get(key);
    if (duplicate !== undefined) return duplicate.result;
    let resolve!: (result: CheckResult) => void;
    const result = new Promise<CheckResult>((settle) => (resolve = settle));
    pending.set(key, { check, result, resolve });
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => this.#send());
    }
    return result;
  }

  #send(): void {
    this.#scheduled = false;
    for (const consistency of ['minimizeLatency', 'higher'] as const) {
      const checks = [...this.#pending[consistency].values()];
      this.#pending[consistency].clear();
      const { maxBatch } = this.#server;
      for (let at = 0; at < checks.length; at += maxBatch) {
        // Detached: the request serves several callers, so the deadline of the first one must not apply to it.
        void runDetached(() => this.#sendInTime(checks.slice(at, at + maxBatch), consistency));
      }
    }
  }

  /** One time limit for all requests that these checks need, including `headersOf`, which may have to fetch credentials. */
  async #sendInTime(checks: readonly PendingCheck[], consistency: Consistency): Promise<void> {
    const { clock, timeoutMs } = this.#server;
    const controller = new AbortController();
    const timeoutError = new TimeoutError(`OpenFGA did not respond within ${timeoutMs} ms.`, timeoutMs);
    const timer = clock.setTimer(() => controller.abort(timeoutError), timeoutMs);
    await this.#sendBatch(checks, consistency, controller.signal);
    timer.cancel();
  }

  /** Resolves each check. Never rejects. */
  async #sendBatch(checks: readonly PendingCheck[], consistency: Consistency, signal: AbortSignal): Promise<void> {
    let results: readonly CheckResult[];
    try {
      results =
        checks.length === 1
          ? [await this.#sendCheck(checks[0]!, consistency, signal)]
          : await this.#sendBatchCheck(checks, consistency, signal);
    } catch (error) {
      if (error instanceof FgaRequestError && checks.length > 1) {
        // The server refuses a whole batch for one invalid check. Sent alone, that one fails no other caller.
        await Promise.all(checks.map((one) => this.#sendBatch([one], consistency, signal)));
        return;
      }
      // Every check of the batch resolves with the error; `onFailure` then decides.
      const failure = error instanceof Error ? error : new FgaResponseError('The request to OpenFGA failed');
      results = checks.map(() => failure);
    }
    for (const [at, { resolve }] of checks.entries()) resolve(results[at]!);
  }

  async #sendCheck({ check }: PendingCheck, consistency: Consistency, signal: AbortSignal): Promise<CheckResult> {
    const { authorizationModelId } = this.#server;
    const body = { ...check, authorization_model_id: authorizationModelId, consistency: CONSISTENCY[consistency] };
    const response = await this.#post('/check', body, signal);
    // Protocol buffers may omit `allowed: false`. A response with other members is not such a result.
    if (Object.keys(response).every((name) => name === 'resolution')) return false;
    return resultOf(response);
  }

  async #sendBatchCheck(
    checks: readonly PendingCheck[],
    consistency: Consistency,
    signal: AbortSignal,
  ): Promise<readonly CheckResult[]> {
    const { authorizationModelId } = this.#server;
    const body = {
      checks: checks.map(({ check }, at) => ({ ...check, correlation_id: String(at) })),
      authorization_model_id: authorizationModelId,
      consistency: CONSISTENCY[consistency],
    };
    const response = await this.#post('/batch-check', body, signal);
    const results = own(response, 'result');
    // By correlation id: results are in any order, and single ones may be errors.
    return checks.map((_, at) => resultOf(isObject(results) ? own(results, String(at)) : undefined));
  }

  async #post(path: string, body: unknown, signal: AbortSignal): Promise<JsonObject> {
    const { url, headersOf, fetch, clock, timeoutMs } = this.#server;
    this.requests++;
    let headers: Readonly<Record<string, string>> = {};
    try {
      headers = await abortable(Promise.resolve(headersOf(signal)), signal);
      const { status, text } = await fetchBounded({
        purpose: 'permissions',
        url: `${url}${path}`,
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
        fetch,
        clock,
        timeoutMs,
        maxBytes: MAX_BYTES,
        readsBody: (code) => code === 200 || (code >= 400 && code < 500),
        signal,
      });
      const response = parseStrictObject(text);
      if (status !== 200) {
        const isInvalid = status >= 400 && status < 500 && !OUTAGE_STATUSES.includes(status);
        const ErrorClass = isInvalid ? FgaRequestError : FgaResponseError;
        throw new ErrorClass(`OpenFGA responded with status ${status}${errorCode(response, 'code')}`);
      }
      if (response === undefined)
        throw new FgaResponseError('OpenFGA responded with something other than a JSON object');
      return response;
    } catch (error) {
      // HTTP clients attach the request, with its credentials, to their errors.
      throw error instanceof FgaResponseError ? error : redactedCause(error, headerSecrets(headers));
    }
  }
}

/** A result with an `error` is not a decision, even if it has `allowed`. */
function resultOf(result: unknown): CheckResult {
  if (!isObject(result)) return new FgaResponseError('OpenFGA returned no result for this check');
  const error = own(result, 'error');
  if (error !== undefined) {
    const code = errorCode(error, 'input_error') + errorCode(error, 'internal_error');
    const isInvalid = isObject(error) && own(error, 'input_error') !== undefined;
    const ErrorClass = isInvalid ? FgaRequestError : FgaResponseError;
    return new ErrorClass(`OpenFGA could not decide this check:${code === '' ? ' an error without a code' : code}`);
  }
  const allowed = own(result, 'allowed');
  if (typeof allowed === 'boolean') return allowed;
  return new FgaResponseError('OpenFGA returned a result with neither allowed nor error');
}

/** An error code of the response. Its message is left out, since it may quote users and objects. */
function errorCode(error: unknown, name: string): string {
  const code = isObject(error) ? own(error, name) : undefined;
  return typeof code === 'string' && /^[a-z][a-z_]{0,63}$/.test(code) ? ` ${code}` : '';
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}
