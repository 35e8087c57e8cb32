import { OptionsError } from '@macadam/core';
import { type AnyValue, logs, type SeverityNumber } from '@opentelemetry/api';
import type { LineDestination } from '../options.ts';

/** Fields of a line that are not attributes of the record: they have a place of their own in it, or come from the SDK. */
const NOT_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...['level', 'time', 'msg', 'pid', 'hostname', 'name', 'trace_id', 'span_id', 'trace_flags'],
]);
const SEVERITY_TEXTS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

/**
 * Creates a destination that passes the lines of a logger to OpenTelemetry, redacted and bounded as they are, with the
 * active span. The logger must have the format `pino`, which is the default. `also` receives the same lines, to be
 * written to the standard output, for example.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) if `also` has no `write`, or reads another format than `pino`.
 * @example
 * ```ts
 * import { createLogger } from '@macadam/telemetry';
 * import { otelLogs } from '@macadam/telemetry/node';
 *
 * const log = createLogger({ name: 'orders', destination: otelLogs() });
 * log.info({ orderId: 17 }, 'order placed');
 * ```
 */
export function otelLogs(also?: LineDestination): LineDestination {
  if (also !== undefined) assertReadsPino(also);
  return {
    format: 'pino',
    write(line) {
      also?.write(line);
      const record = JSON.parse(line) as Record<string, unknown>;
      const level = typeof record['level'] === 'number' ? record['level'] : 30;
      const index = Math.min(5, Math.max(0, Math.round(level / 10) - 1));
      const attributes: Record<string, AnyValue> = {};
      for (const [name, value] of Object.entries(record)) {
        if (!NOT_ATTRIBUTES.has(name)) attributes[name] = value as AnyValue;
      }
      // Looked up for each line, so that a logger provider that is registered later is used.
      logs.getLogger(typeof record['name'] === 'string' ? record['name'] : '@macadam/telemetry').emit({
        timestamp: Number(record['time']),
        severityNumber: (1 + 4 * index) as SeverityNumber,
        severityText: SEVERITY_TEXTS[index]!,
        body: typeof record['msg'] === 'string' ? record['msg'] : '',
        attributes,
      });
    },
  };
}

function assertReadsPino(also: LineDestination): void {
  if (typeof (also as { write?: unknown } | null)?.write !== 'function') {
    throw new OptionsError('otelLogs.also', also, 'an object with write(line)');
  }
  const { format } = also;
  if (format !== undefined && format !== 'pino') {
    throw new OptionsError('otelLogs.also.format', format, '"pino", the format of the lines that otelLogs passes on');
  }
}
