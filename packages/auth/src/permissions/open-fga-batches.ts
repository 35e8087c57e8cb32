import { abortable, type Clock, runDetached, TimeoutError } from '@macadam/core';
import { type FetchLike, fetchBounded } from '../fetch/bounded-fetch.ts';
import { safeCause, secretsInHeaders } from '../fetch/safe-cause.ts';
import { type JsonObject, own, readStrictObject } from '../jwt/strict-json.ts';

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

/** A question, as OpenFGA takes it. */
export interface FgaQuestion {
  readonly tuple_key: FgaTuple;
  readonly context?: Readonly<Record<string, unknown>>;
  readonly contextual_tuples?: { readonly tuple_keys: readonly FgaTuple[] };
}

/** Where questions go. */
export interface FgaServer {
  /** Of the store. */
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

/** Whether it is allowed, or why nobody knows. */
type Answer = boolean | Error;

/** An answer that says nothing of the question. The message holds nothing of it but its status and its code. */
export class FgaAnswerError extends Error {}
FgaAnswerError.prototype.name = 'FgaAnswerError';

interface Waiting {
  readonly question: FgaQuestion;
  readonly answer: Promise<Answer>;
  readonly settle: (answer: Answer) => void;
}

const CONSISTENCY: Readonly<Record<Consistency, string>> = {
  minimizeLatency: 'MINIMIZE_LATENCY',
  higher: 'HIGHER_CONSISTENCY',
};
/** Fifty answers are a few kilobytes. */
const MAX_BYTES = 262_144;

/** Gathers what is asked at once, without a pause, into as few requests as there can be. Never rejects. */
export class FgaBatches {
  readonly #server: FgaServer;
  readonly #gathered: Readonly<Record<Consistency, Map<string, Waiting>>> = {
    minimizeLatency: new Map(),
    higher: new Map(),
  };
  #scheduled = false;
  requests = 0;

  constructor(server: FgaServer) {
    this.#server = server;
  }

  /** `key` is the same for the same question. */
  ask(key: string, question: FgaQuestion, consistency: Consistency): Promise<Answer> {
    const gathered = this.#gathered[consistency];
    const same = gathered.get(key);
    if (same !== undefined) return same.answer;
    let settle!: (answer: Answer) => void;
    const answer = new Promise<Answer>((resolve) => (settle = resolve));
    gathered.set(key, { question, answer, settle });
    if (!this.#scheduled) {
      this.#scheduled = true;
      queueMicrotask(() => this.#send());
    }
    return answer;
  }

  #send(): void {
    this.#scheduled = false;
    for (const consistency of ['minimizeLatency', 'higher'] as const) {
      const waiting = [...this.#gathered[consistency].values()];
      this.#gathered[consistency].clear();
      const { maxBatch } = this.#server;
      for (let at = 0; at < waiting.length; at += maxBatch) {
        // For all who wait: whoever asked first must not lend it a deadline of their own.
        void runDetached(() => this.#request(waiting.slice(at, at + maxBatch), consistency));
      }
    }
  }

  async #request(waiting: readonly Waiting[], consistency: Consistency): Promise<void> {
    let answers: readonly Answer[];
    try {
      this.requests++;
      answers =
        waiting.length === 1
          ? [await this.#check(waiting[0]!, consistency)]
          : await this.#checkAll(waiting, consistency);
    } catch (error) {
      // Whatever went wrong, nobody was told yes: those who wait have their own rule for that.
      const failure = error instanceof Error ? error : new FgaAnswerError('OpenFGA could not be asked');
      answers = waiting.map(() => failure);
    }
    for (const [at, { settle }] of waiting.entries()) settle(answers[at]!);
  }

  async #check({ question }: Waiting, consistency: Consistency): Promise<Answer> {
    const { authorizationModelId } = this.#server;
    const body = { ...question, authorization_model_id: authorizationModelId, consistency: CONSISTENCY[consistency] };
    const answer = await this.#post('/check', body);
    // Protocol buffers may leave out what is false; what has other members is something else.
    if (Object.keys(answer).every((name) => name === 'resolution')) return false;
    return allowedIn(answer);
  }

  async #checkAll(waiting: readonly Waiting[], consistency: Consistency): Promise<readonly Answer[]> {
    const { authorizationModelId } = this.#server;
    const answer = await this.#post('/batch-check', {
      checks: waiting.map(({ question }, at) => ({ ...question, correlation_id: String(at) })),
      authorization_model_id: authorizationModelId,
      consistency: CONSISTENCY[consistency],
    });
    const result = own(answer, 'result');
    // By name: the answers come in any order, and one of them may be an error.
    return waiting.map((_, at) => allowedIn(isObject(result) ? own(result, String(at)) : undefined));
  }

  async #post(path: string, body: unknown): Promise<JsonObject> {
    const { url, headersOf, fetch, clock, timeoutMs } = this.#server;
    const controller = new AbortController();
    // Credentials may have to be fetched, too, and that counts.
    const late = new TimeoutError(`OpenFGA did not answer within ${timeoutMs} ms.`, timeoutMs);
    const timer = clock.setTimer(() => controller.abort(late), timeoutMs);
    let given: Readonly<Record<string, string>> = {};
    try {
      given = await abortable(Promise.resolve(headersOf(controller.signal)), controller.signal);
      const { status, text } = await fetchBounded({
        purpose: 'permissions',
        url: `${url}${path}`,
        method: 'POST',
        headers: { ...given, 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
        fetch,
        clock,
        timeoutMs: timeoutMs,
        maxBytes: MAX_BYTES,
        reads: (one) => one === 200 || (one >= 400 && one < 500),
        signal: controller.signal,
      });
      const answer = readStrictObject(text);
      if (status !== 200) throw new FgaAnswerError(`OpenFGA answered with status ${status}${codeIn(answer, 'code')}`);
      if (answer === undefined) throw new FgaAnswerError('OpenFGA answered with something else than a JSON object');
      return answer;
    } catch (error) {
      // As of a request for a token: clients of HTTP hang the request on their errors.
      throw error instanceof FgaAnswerError ? error : safeCause(error, secretsInHeaders(given));
    } finally {
      timer.cancel();
    }
  }
}

/** An answer with an error beside it is none. */
function allowedIn(answer: unknown): Answer {
  if (!isObject(answer)) return new FgaAnswerError('OpenFGA left out the answer to this question');
  const error = own(answer, 'error');
  if (error !== undefined) {
    const code = codeIn(error, 'input_error') + codeIn(error, 'internal_error');
    return new FgaAnswerError(
      `OpenFGA could not answer this question:${code === '' ? ' an error without a code' : code}`,
    );
  }
  const allowed = own(answer, 'allowed');
  if (typeof allowed === 'boolean') return allowed;
  return new FgaAnswerError('OpenFGA answered with something that says neither allowed nor error');
}

/** A word that says what went wrong; sentences may quote who asked for what. */
function codeIn(error: unknown, name: string): string {
  const code = isObject(error) ? own(error, name) : undefined;
  return typeof code === 'string' && /^[a-z][a-z_]{0,63}$/.test(code) ? ` ${code}` : '';
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null;
}
