import { assertClock, assertFunction, assertInteger, assertKnownOptions, assertNumber, withheld } from '@macadam/core';
import { assertObject, assertOneOf, assertText, OptionsError, systemClock, systemRandom } from '@macadam/core';
import { defaultLimits, limitNames, type LineLimits } from './encode/limits.ts';
import { levels, levelThresholds, type LevelThreshold } from './levels.ts';
import { lineFormat } from './line-format.ts';
import { LineWriter } from './line-writer.ts';
import { type Logger, rootLogger } from './logger.ts';
import type { LogFormat, LoggerOptions, RedactOptions } from './options.ts';
import { BacklogSink } from './sink.ts';

const OPTION_NAMES: readonly (keyof LoggerOptions)[] = [
  ...(['name', 'level', 'format', 'destination', 'redact', 'bindings', 'serializers', 'sampling'] as const),
  ...(['limits', 'maxBacklogBytes', 'clock', 'random'] as const),
];
const FORMATS: readonly LogFormat[] = ['pino', 'otel', 'ecs', 'gcp'];
const DEFAULT_MAX_BACKLOG_BYTES = 8_388_608;
const STDOUT = 1;

/**
 * Creates a logger with pino's call signatures and line format. Its methods never throw and never modify their
 * arguments; each call writes exactly one line of valid JSON of bounded size, in which credentials are redacted.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option; an `ENOENT` or `EACCES` of a path as `fs` gives it.
 * @example
 * ```ts
 * import { createLogger, pii } from '@macadam/telemetry';
 *
 * const log = createLogger({ name: 'orders' });
 * log.info({ orderId: 17, email: pii('ada@example.org'), token: 'abc' }, 'order placed');
 * // {"level":30,"time":…,"pid":…,"hostname":…,"name":"orders","orderId":17,"email":"[pii]","token":"[redacted]","msg":"order placed"}
 * ```
 */
export function createLogger(options: LoggerOptions = {}): Logger {
  assertOptions(options);
  const { name, level = 'info', format = 'pino', destination = STDOUT, redact = {} } = options;
  const { clock = systemClock, random = systemRandom, sampling = {}, bindings = {}, serializers } = options;
  const limits: LineLimits = { ...defaultLimits, ...options.limits };
  const sink = new BacklogSink(destination, clock, options.maxBacklogBytes ?? DEFAULT_MAX_BACKLOG_BYTES);
  const core = {
    writer: new LineWriter(lineFormat(format, name), limits, redact),
    sink,
    clock,
    random,
    sampling: levels.map((level) => sampling[level] ?? 1),
    counts: levels.map(() => 0),
    sampledOut: 0,
    description:
      `as ${format} lines to ${sink.description}, redacting by name and by pattern, personal data ${redact.pii ?? 'mask'}; ` +
      `at most ${limits.lineBytes} bytes a line, ${limits.stringBytes} a string, depth ${limits.depth}, ${limits.items} items, ${limits.nodes} values`,
  };
  const log = rootLogger(core, level as LevelThreshold, bindings, serializers);
  sink.onRecovered = (dropped) => log.warn({ dropped }, 'log lines were dropped');
  return log;
}

function assertOptions(options: LoggerOptions): void {
  assertObject('createLogger', options);
  assertKnownOptions('createLogger', options, OPTION_NAMES);
  const { name, level, format, destination, redact, bindings, serializers, sampling, limits } = options;
  if (name !== undefined) assertText('createLogger.name', name);
  if (level !== undefined) assertOneOf('createLogger.level', level, levelThresholds);
  if (format !== undefined) assertOneOf('createLogger.format', format, FORMATS);
  if (destination !== undefined) assertDestination(destination, format ?? 'pino');
  if (redact !== undefined) assertRedact(redact);
  if (bindings !== undefined) assertObject('createLogger.bindings', bindings);
  if (serializers !== undefined) {
    assertObject('createLogger.serializers', serializers);
    for (const [key, serialize] of Object.entries(serializers))
      assertFunction(`createLogger.serializers.${key}`, serialize);
  }
  if (sampling !== undefined) {
    assertObject('createLogger.sampling', sampling);
    assertKnownOptions('createLogger.sampling', sampling, levels);
    for (const [key, ratio] of Object.entries(sampling))
      assertNumber(`createLogger.sampling.${key}`, ratio, { above: 0, max: 1 });
  }
  if (limits !== undefined) assertLimits(limits);
  if (options.clock !== undefined) assertClock('createLogger.clock', options.clock);
  if (options.random !== undefined) assertFunction('createLogger.random', options.random);
  if (options.maxBacklogBytes !== undefined) {
    assertInteger('createLogger.maxBacklogBytes', options.maxBacklogBytes, { min: 65_536 });
  }
}

function assertDestination(destination: LoggerOptions['destination'], format: LogFormat): void {
  const where = 'createLogger.destination';
  if (typeof destination === 'number') assertInteger(where, destination, { min: 1 });
  else if (typeof destination === 'string') assertText(where, destination);
  else if (typeof (destination as { write?: unknown } | null)?.write !== 'function') {
    throw new OptionsError(where, destination, 'a file descriptor, a path, or an object with write(line)');
  } else if (destination?.format !== undefined && destination.format !== format) {
    throw new OptionsError('createLogger.format', format, `${destination.format}, which its destination reads`);
  }
}

function assertRedact(redact: RedactOptions): void {
  const where = 'createLogger.redact';
  assertObject(where, redact);
  assertKnownOptions(where, redact, ['keys', 'allow', 'patterns', 'pii', 'hashKey']);
  for (const name of ['keys', 'allow', 'patterns'] as const) {
    // A string instead of a list is a likely mistake: its letters would be taken for names.
    if (redact[name] !== undefined && !Array.isArray(redact[name]))
      throw new OptionsError(`${where}.${name}`, redact[name], 'a list');
  }
  for (const name of ['keys', 'allow'] as const) {
    redact[name]?.forEach((key, i) => assertText(`${where}.${name}[${i}]`, key));
  }
  redact.patterns?.forEach((pattern, i) => {
    if (!(pattern instanceof RegExp)) throw new OptionsError(`${where}.patterns[${i}]`, pattern, 'a RegExp');
  });
  if (redact.pii !== undefined) assertOneOf(`${where}.pii`, redact.pii, ['mask', 'hash', 'off']);
  if (redact.pii === 'hash' && (typeof redact.hashKey !== 'string' || redact.hashKey.length < 16)) {
    // The message must not show the value, which is a key.
    throw new OptionsError(
      `${where}.hashKey`,
      withheld(redact.hashKey),
      'a string of at least 16 characters when pii is "hash"',
    );
  }
}

function assertLimits(limits: Partial<LineLimits>): void {
  const where = 'createLogger.limits';
  assertObject(where, limits);
  assertKnownOptions(where, limits, limitNames);
  const minimums: LineLimits = { lineBytes: 4_096, stringBytes: 64, depth: 1, items: 1, nodes: 1 };
  for (const name of limitNames) {
    if (limits[name] !== undefined) assertInteger(`${where}.${name}`, limits[name], { min: minimums[name] });
  }
}
