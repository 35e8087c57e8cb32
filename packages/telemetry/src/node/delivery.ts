import type { Clock } from '@macadam/core';
import { createNoopMeter, type MeterProvider } from '@opentelemetry/api';
import { cleanText } from '../attributes.ts';
import { Alarm } from '../alarm.ts';
import type { Signal } from './environment.ts';
import type { OtlpTarget } from './otlp-target.ts';

/** How one batch ended, as the SDK has it: 0 is well. */
interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

interface ErrorWithCode extends Error {
  readonly code?: unknown;
}

const told = new WeakSet<Error>();

/** Whether it was told already as what has kept a batch from arriving. */
export function isTold(error: unknown): boolean {
  const errors: unknown[] = Array.isArray(error) ? error : [error];
  return errors.every((one) => one instanceof Error && told.has(one));
}

/**
 * Warns when what is exported does not arrive, or not all of it, and says why. The SDK keeps it to itself, so that nobody
 * would notice a collector that refuses everything until something is looked for.
 */
export class Delivery {
  readonly #signal: Signal;
  readonly #place: string;
  readonly #alarm: Alarm;
  #isPartial = false;

  constructor(signal: Signal, { url }: OtlpTarget, warn: (message: string) => void, clock: Clock) {
    const { origin, pathname } = new URL(url);
    this.#signal = signal;
    // Without what may be a token.
    this.#place = origin + pathname;
    this.#alarm = new Alarm(warn, clock);
  }

  /** The collector has taken a batch, but for some of it, or with a remark. Called before `ended`. */
  remarked(rejected: number, remark: string): void {
    const reason = remark === '' ? 'and says no reason' : `and says: ${cleanText(remark, 200)}`;
    const what =
      rejected > 0 ? `rejects some of the ${this.#signal}, ${rejected} of one batch` : `takes the ${this.#signal}`;
    this.#isPartial = true;
    this.#alarm.raise(rejected > 0 ? 'rejected' : 'remark', `The collector at ${this.#place} ${what}, ${reason}.`);
  }

  /** A batch was taken by something that is no collector, such as the web server in front of one. Called before `ended`. */
  answeredByPage(): void {
    this.#isPartial = true;
    const message = `What is at ${this.#place} is no collector: it takes the ${this.#signal} and answers with a page.`;
    this.#alarm.raise('page', message);
  }

  ended({ code, error }: ExportResult): void {
    const isPartial = this.#isPartial;
    this.#isPartial = false;
    if (code !== 0) {
      const reason = reasonOf(error);
      if (error !== undefined) told.add(error);
      this.#alarm.raise(reason, `The ${this.#signal} do not arrive at ${this.#place}: ${reason}.`);
    } else if (!isPartial) this.#alarm.clear();
  }
}

/** Why something was not sent, in a few words without credentials. Of several reasons, which the SDK has as a list, the first. */
export function reasonOf(error: unknown): string {
  const first: unknown = Array.isArray(error) ? error[0] : error;
  if (!(first instanceof Error)) return first === undefined ? 'no reason is given' : cleanText(String(first), 200);
  const { message, code } = first as ErrorWithCode;
  const words = cleanText(message, 200).trim();
  if (words === '') return String(code ?? first.name);
  return code === undefined || words.includes(String(code)) ? words : `${words} (${String(code)})`;
}

/**
 * What the SDK is handed as the meters of its processors, which is all they tell of spans or records that they drop because
 * too many wait already.
 */
export function watchQueue(signal: Signal, most: number, warn: (message: string) => void, clock: Clock): MeterProvider {
  const alarm = new Alarm(warn, clock);
  const counter = {
    add(_count: number, attributes?: object): void {
      if ((attributes as { 'error.type'?: unknown } | undefined)?.['error.type'] !== 'queue_full') alarm.clear();
      else
        alarm.raise('full', `More ${signal} are made than are sent: ${most} wait, and what comes beyond is dropped.`);
    },
  };
  const meter = Object.create(createNoopMeter(), { createCounter: { value: () => counter } }) as ReturnType<
    typeof createNoopMeter
  >;
  return { getMeter: () => meter };
}
