import { OptionsError } from '@macadam/core';

/** @throws OptionsError for an object that is no exporter. The SDK would accept it and fail silently. */
export function assertExporter(
  where: string,
  exporter: Partial<Record<'export' | 'shutdown', unknown>> | undefined,
): void {
  if (exporter === undefined) return;
  if (typeof exporter?.export === 'function' && typeof exporter.shutdown === 'function') return;
  throw new OptionsError(where, exporter, 'an exporter of OpenTelemetry, with export and shutdown');
}
