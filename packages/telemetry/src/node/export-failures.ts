import { OptionsError } from '@macadam/core';
import { cleanText } from '../attributes.ts';
import type { OtlpTarget, Signal } from './environment.ts';

/** The part of an exporter that is looked at. */
export interface OtlpExporter {
  export(items: never, done: (result: { code: number; error?: Error }) => void): void;
}

/**
 * Warns when what is exported does not arrive, and says why. The SDK keeps it to itself, so that nobody would notice a
 * collector that refuses everything until something is looked for. Once, and again when something has arrived in between.
 */
export function warnOfFailures<E extends OtlpExporter>(
  exporter: E,
  signal: Signal,
  target: OtlpTarget,
  warn: (message: string) => void,
): E {
  const send = exporter.export.bind(exporter);
  let failing = false;
  exporter.export = (items, done) =>
    send(items, (result) => {
      const failed = result.code !== 0;
      if (failed && !failing) warn(`The ${signal} do not arrive at ${placeOf(target)}: ${reasonOf(result.error)}.`);
      failing = failed;
      done(result);
    });
  return exporter;
}

/** Without what may be a token. */
function placeOf({ url }: OtlpTarget): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

function reasonOf(error: (Error & { code?: unknown }) | undefined): string {
  if (error === undefined) return 'no reason is given';
  const { message, code } = error;
  const words = cleanText(message, 200).trim();
  if (words === '') return String(code ?? error.name);
  return code === undefined || words.includes(String(code)) ? words : `${words} (${String(code)})`;
}

/** @throws OptionsError for what cannot be handed to the SDK, which would say nothing. */
export function assertExporter(
  where: string,
  exporter: Partial<Record<'export' | 'shutdown', unknown>> | undefined,
): void {
  if (exporter === undefined) return;
  if (typeof exporter?.export === 'function' && typeof exporter.shutdown === 'function') return;
  throw new OptionsError(where, exporter, 'an exporter of OpenTelemetry, with export and shutdown');
}
