import { systemClock } from '@macadam/core';
import { propagation } from '@opentelemetry/api';
import { Alarm } from '../alarm.ts';
import { apiCopies } from './api-copies.ts';
import { isTold, reasonOf } from './delivery.ts';
import { isDisabled } from './environment.ts';
import { inTurn } from './in-turn.ts';
import { registerPropagator } from './propagator.ts';
import { propagationFrom } from './sdk-settings.ts';
import { startSignals } from './start-signals.ts';
import { assertTelemetryOptions, type TelemetryOptions } from './telemetry-options.ts';
import { unreadVariables } from './unread-variables.ts';

/** The running OpenTelemetry SDK. Created by `startTelemetry`. */
export interface Telemetry {
  /** Whether anything is sent. */
  readonly enabled: boolean;
  /** Sends what is queued. Never rejects; settles within `shutdownTimeoutMs`. */
  flush(): Promise<void>;
  /**
   * Sends what is queued and stops: traces first, then logs, then metrics, which count both. Each gets its share of
   * `shutdownTimeoutMs`. Never rejects; a second call returns the result of the first.
   */
  shutdown(): Promise<void>;
  /** Returns in words what is sent where. */
  describe(): string;
  /** The same as `shutdown`, which is OpenTelemetry's term: everything of Macadam that can be closed has `close`. */
  close(): Promise<void>;
  /** The same as `shutdown`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Sets up the OpenTelemetry SDK: traces, metrics and logs over OTLP, by the standard environment variables
 * (`OTEL_EXPORTER_OTLP_ENDPOINT` and others). Without an endpoint and without exporters nothing is registered, and
 * instrumentation remains a no-op. No module is patched.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option or a wrong variable.
 * @example
 * ```ts
 * import { startTelemetry } from '@macadam/telemetry/node';
 *
 * const telemetry = startTelemetry({ serviceName: 'orders' });
 * await telemetry.shutdown();
 * ```
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  assertTelemetryOptions(options);
  const { env = process.env, clock = systemClock, shutdownTimeoutMs = 5_000 } = options;
  const warn = warning(options.onWarning);
  const disabled = isDisabled(env);
  // Who has switched it off is not stopped by what is wrong with the rest.
  const { fields, unknown } = disabled ? { fields: [], unknown: [] } : propagationFrom(env);
  const running = disabled ? [] : startSignals(options, env, clock, warn);
  const enabled = running.length > 0;
  const propagates = enabled && fields.length > 0 && registerPropagator(fields);
  if (enabled) {
    if (!propagates && fields.length > 0) warn('Another OpenTelemetry propagator is registered already; it stays.');
    const copies = apiCopies();
    if (copies !== undefined) warn(copies);
  }
  const unread = disabled ? [] : unreadVariables(env);
  unread.push(...unknown.map((name) => `OTEL_PROPAGATORS=${name}`));
  if (unread.length > 0)
    warn(`What is set in the environment as ${unread.join(', ')} is not read here, and has no effect.`);

  const failures = new Alarm(warn, clock);
  const failed = (name: string, error: unknown): void => {
    if (isTold(error)) return;
    const message = `Sending ${name} failed: ${reasonOf(error)}.`;
    failures.raise(message, message);
  };
  const flush = async (): Promise<void> => {
    const tasks = running.map((signal) => ({ name: signal.description, run: () => signal.flush() }));
    if (!(await inTurn(tasks, shutdownTimeoutMs, clock, failed))) expired();
  };
  const stop = async (): Promise<void> => {
    const tasks = running.map((signal) => ({ name: signal.description, run: () => signal.shutdown() }));
    const ended = await inTurn(tasks, shutdownTimeoutMs, clock, failed);
    if (!ended) expired();
    for (const signal of running) signal.unregister();
    // Another one's stays when we go, as it stayed when we came.
    if (propagates) propagation.disable();
  };
  const expired = (): void => warn(`Telemetry was not sent within ${shutdownTimeoutMs} ms; the rest is lost.`);

  let stopped: Promise<void> | undefined;
  const shutdown = (): Promise<void> => (stopped ??= stop());
  return {
    enabled,
    flush: () => stopped ?? flush(),
    shutdown,
    describe: () =>
      enabled
        ? `sends ${running.map(({ description }) => description).join('; ')} for ${options.serviceName}`
        : `sends nothing: ${disabled ? 'OTEL_SDK_DISABLED is true' : 'no signal has an endpoint and is wanted'}`,
    close: shutdown,
    [Symbol.asyncDispose]: shutdown,
  };
}

/** Whoever is told may fail: neither the start nor the shutdown does with them. */
function warning(tell: TelemetryOptions['onWarning']): (message: string) => void {
  if (tell === undefined) return (message) => process.emitWarning(message, { code: 'MAC_TELEMETRY' });
  return (message) => {
    try {
      tell(message);
    } catch {
      // There is nobody else to tell.
    }
  };
}
