import { systemClock } from '@macadam/core';
import { propagation } from '@opentelemetry/api';
import { Alarm } from '../alarm.ts';
import { duplicateApiWarning } from './duplicate-api.ts';
import { isDisabled } from './environment.ts';
import { failureReason, isReported } from './export-monitor.ts';
import { registerPropagator } from './propagator.ts';
import { runSequentially } from './run-sequentially.ts';
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
  const warn = safeWarning(options.onWarning);
  const disabled = isDisabled(env);
  // An SDK that is switched off starts whatever the other variables contain.
  const { fields, unknown } = disabled ? { fields: [], unknown: [] } : propagationFrom(env);
  const running = disabled ? [] : startSignals(options, env, clock, warn);
  const enabled = running.length > 0;
  const ownsPropagator = enabled && fields.length > 0 && registerPropagator(fields);
  if (enabled) {
    if (!ownsPropagator && fields.length > 0)
      warn('Another OpenTelemetry propagator is registered already, and stays in use.');
    const duplicateApi = duplicateApiWarning();
    if (duplicateApi !== undefined) warn(duplicateApi);
  }
  const unread = disabled ? [] : unreadVariables(env);
  unread.push(...unknown.map((name) => `OTEL_PROPAGATORS=${name}`));
  if (unread.length > 0)
    warn(`These environment variables are not supported and have no effect: ${unread.join(', ')}.`);

  const failures = new Alarm(warn, clock);
  const onFailure = (name: string, error: unknown): void => {
    if (isReported(error)) return;
    const message = `Sending ${name} failed: ${failureReason(error)}.`;
    failures.raise(message, message);
  };
  const flush = async (): Promise<void> => {
    const tasks = running.map((signal) => ({ name: signal.description, run: () => signal.flush() }));
    if (!(await runSequentially(tasks, shutdownTimeoutMs, clock, onFailure))) warnTimeout();
  };
  const stop = async (): Promise<void> => {
    const tasks = running.map((signal) => ({ name: signal.description, run: () => signal.shutdown() }));
    const ended = await runSequentially(tasks, shutdownTimeoutMs, clock, onFailure);
    if (!ended) warnTimeout();
    for (const signal of running) signal.unregister();
    // One that another SDK registered stays.
    if (ownsPropagator) propagation.disable();
  };
  const warnTimeout = (): void => warn(`Telemetry was not sent within ${shutdownTimeoutMs} ms; the rest is lost.`);

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

/** A listener that throws must fail neither the start nor the shutdown. */
function safeWarning(onWarning: TelemetryOptions['onWarning']): (message: string) => void {
  if (onWarning === undefined) return (message) => process.emitWarning(message, { code: 'MAC_TELEMETRY' });
  return (message) => {
    try {
      onWarning(message);
    } catch {
      // There is nowhere left to report it.
    }
  };
}
