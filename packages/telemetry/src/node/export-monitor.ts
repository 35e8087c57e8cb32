import type { Clock } from '@macadam/core';
import { createNoopMeter, type MeterProvider } from '@opentelemetry/api';
import { cleanText } from '../attributes.ts';
import { Alarm } from '../alarm.ts';
import type { Signal } from './environment.ts';
import type { OtlpTarget } from './otlp-target.ts';

/** The result of exporting one batch, as the SDK defines it: code 0 is success. */
interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

interface ErrorWithCode extends Error {
  readonly code?: unknown;
}

const reported = new WeakSet<Error>();

/** Whether an `ExportMonitor` has warned about the error, or about each of a list of errors. */
export function isReported(error: unknown): boolean {
  const errors: unknown[] = Array.isArray(error) ? error : [error];
  return errors.every((one) => one instanceof Error && reported.has(one));
}

/**
 * Warns when a batch of one signal is not accepted by the collector, or only in part, and says why. The SDK reports neither:
 * without this, a collector that refuses everything is noticed when somebody needs the data.
 */
export class ExportMonitor {
  readonly #signal: Signal;
  readonly #endpoint: string;
  readonly #alarm: Alarm;
  /** Whether the response to the current batch has led to a warning. */
  #hasRemark = false;

  constructor(signal: Signal, { url }: OtlpTarget, warn: (message: string) => void, clock: Clock) {
    const { origin, pathname } = new URL(url);
    this.#signal = signal;
    // Without user name, password and query, which can contain a token.
    this.#endpoint = origin + pathname;
    this.#alarm = new Alarm(warn, clock);
  }

  /** The collector rejected `rejectedCount` items of a batch, or accepted all with a message. Called before `batchEnded`. */
  partialSuccess(rejectedCount: number, collectorMessage: string): void {
    const message = cleanText(collectorMessage, 200);
    this.#hasRemark = true;
    if (rejectedCount > 0) {
      const reason = message === '' ? 'it gives no reason' : message;
      const rejected = `rejects part of a batch of ${this.#signal} (${rejectedCount})`;
      this.#alarm.raise('rejected', `The collector at ${this.#endpoint} ${rejected}: ${reason}.`);
    } else
      this.#alarm.raise(
        'remark',
        `The collector at ${this.#endpoint} accepts the ${this.#signal} with a warning: ${message}.`,
      );
  }

  /** The response was HTML: the endpoint is something else, such as the web server in front. Called before `batchEnded`. */
  receivedHtml(): void {
    this.#hasRemark = true;
    const message = `${this.#endpoint} is not an OTLP collector: it accepts the ${this.#signal} and responds with an HTML page.`;
    this.#alarm.raise('page', message);
  }

  batchEnded({ code, error }: ExportResult): void {
    const hasRemark = this.#hasRemark;
    this.#hasRemark = false;
    if (code !== 0) {
      const reason = failureReason(error);
      if (error !== undefined) reported.add(error);
      this.#alarm.raise(reason, `The ${this.#signal} cannot be sent to ${this.#endpoint}: ${reason}.`);
    } else if (!hasRemark) this.#alarm.clear();
  }
}

/** Describes briefly, without credentials, why an export failed. The SDK rejects with a list of errors: the first counts. */
export function failureReason(error: unknown): string {
  const first: unknown = Array.isArray(error) ? error[0] : error;
  if (!(first instanceof Error)) return first === undefined ? 'no reason is given' : cleanText(String(first), 200);
  const { message, code } = first as ErrorWithCode;
  const text = cleanText(message, 200).trim();
  if (text === '') return String(code ?? first.name);
  return code === undefined || text.includes(String(code)) ? text : `${text} (${String(code)})`;
}

/**
 * Creates the meter provider for the SDK's batch processors, which warns when their queue is full. The self-observability
 * metrics of a processor are its only report of spans or log records that it drops.
 */
export function queueMonitor(
  signal: Signal,
  maxQueueSize: number,
  warn: (message: string) => void,
  clock: Clock,
): MeterProvider {
  const alarm = new Alarm(warn, clock);
  const counter = {
    add(_count: number, attributes?: object): void {
      const { 'error.type': errorType } = (attributes ?? {}) as { 'error.type'?: unknown };
      if (errorType === 'queue_full')
        alarm.raise('full', `The export queue of ${signal} is full (${maxQueueSize}): new ones are dropped.`);
      else alarm.clear();
    },
  };
  const meter = Object.create(createNoopMeter(), { createCounter: { value: () => counter } }) as ReturnType<
    typeof createNoopMeter
  >;
  return { getMeter: () => meter };
}
