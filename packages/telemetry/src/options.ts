import type { Clock, Random } from '@macadam/core';
import type { LineLimits } from './encode/limits.ts';
import type { Level, LevelThreshold } from './levels.ts';

/**
 * The fields of a log line: those of pino, of the OpenTelemetry log data model, of Elastic Common Schema or of Google
 * Cloud.
 */
export type LogFormat = 'pino' | 'otel' | 'ecs' | 'gcp';

/** A destination of log lines. */
export interface LineDestination {
  /** Takes one finished line, with its line feed. */
  write(line: string): void;
  /** The only format that it can read; `createLogger` rejects another one. Default: any. */
  readonly format?: LogFormat;
}

/**
 * Functions that convert the value of a field to what is logged, by the name of the field. When one throws, the field
 * is written as `[threw]`.
 */
export type Serializers = Readonly<Record<string, (value: never) => unknown>>;

/** What a logger redacts in addition to its built-in rules. */
export interface RedactOptions {
  /**
   * Names of fields to redact at any depth; case and the separators `-`, `_`, `.` are ignored. Default: none but the
   * built-in ones.
   */
  keys?: readonly string[];
  /** Names of fields that are never redacted, such as `pageToken`. Default: none. */
  allow?: readonly string[];
  /**
   * Patterns to redact in every string. They should run in linear time, which is not checked. Default: none but the
   * built-in ones.
   */
  patterns?: readonly RegExp[];
  /**
   * How `pii(value)` is written: `mask` as `[pii]`, `hash` as a keyed hash (requires `hashKey`), or as `[pii]` if the value
   * is an object, `off` as the value. Default: `mask`.
   */
  pii?: 'mask' | 'hash' | 'off';
  /** Key of the hash, at least 16 characters; the same in every process whose lines are to be joined. Default: none. */
  hashKey?: string;
}

/** Options of `createLogger`. */
export interface LoggerOptions {
  /** Name of the service or component, written on every line. Default: none. */
  name?: string;
  /** The minimum level that is logged. A string from the environment is validated as well. Default: `info`. */
  level?: LevelThreshold | (string & {});
  /** The fields of a line. Default: `pino`. */
  format?: LogFormat;
  /** A file descriptor, a path, or an object with `write(line)`. Default: 1, the standard output. */
  destination?: number | string | LineDestination;
  /** What is redacted in addition to the built-in rules, which cannot be turned off. Default: nothing. */
  redact?: RedactOptions;
  /** Fields for every line. Default: none. */
  bindings?: Readonly<Record<string, unknown>>;
  /**
   * Functions that convert the value of a field, by its name, such as `req`. Errors are always written by the logger
   * itself. Default: none.
   */
  serializers?: Serializers;
  /**
   * Ratio of lines to keep, by level, above 0, at most 1. A line that was kept has `sample_rate`. Default: 1 for all
   * levels.
   */
  sampling?: Readonly<Partial<Record<Level, number>>>;
  /** Bounds of one line, merged over the defaults. Default: those of {@link LineLimits}. */
  limits?: Partial<LineLimits>;
  /**
   * Maximum number of bytes kept while the destination does not take them; beyond it the oldest lines are dropped,
   * `info` and below first. Default: 8,388,608 (8 MiB).
   */
  maxBacklogBytes?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
  /** Source of randomness, for `sampling`. Default: `Math.random`. */
  random?: Random;
}

/** Options of a child logger. Unknown ones are ignored, since frameworks pass options of their own. */
export interface ChildOptions {
  /** A level of its own, independent of the parent from then on. Default: follows the logger that the parent follows. */
  level?: LevelThreshold | (string & {}) | undefined;
  /** Serializers in addition to those of the parent. Default: none. */
  serializers?: Serializers | undefined;
}
