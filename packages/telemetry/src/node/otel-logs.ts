import { type AnyValue, logs, type SeverityNumber } from '@opentelemetry/api';
import type { LineDestination } from '../options.ts';

const OWN: ReadonlySet<string> = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'name', 'trace_id', 'span_id']);
const TEXTS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

/**
 * Creates a destination that passes the lines of a logger to OpenTelemetry, redacted and bounded as they are, with the
 * active span. The logger must have the format `pino`, which is the default. `also` receives the lines as well, such as
 * the standard output.
 *
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
  return {
    format: 'pino',
    write(line) {
      also?.write(line);
      const record = JSON.parse(line) as Record<string, unknown>;
      const level = typeof record['level'] === 'number' ? record['level'] : 30;
      const step = Math.min(5, Math.max(0, Math.round(level / 10) - 1));
      const attributes: Record<string, AnyValue> = {};
      for (const [name, value] of Object.entries(record)) if (!OWN.has(name)) attributes[name] = value as AnyValue;
      // Asked for each time: a logger provider that is registered later must be found.
      logs.getLogger(typeof record['name'] === 'string' ? record['name'] : '@macadam/telemetry').emit({
        timestamp: Number(record['time']),
        severityNumber: (1 + 4 * step) as SeverityNumber,
        severityText: TEXTS[step]!,
        body: typeof record['msg'] === 'string' ? record['msg'] : '',
        attributes,
      });
    },
  };
}
