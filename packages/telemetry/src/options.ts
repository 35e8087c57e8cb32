import type { Clock, Random } from '@macadam/core';
import type { LineLimits } from './encode/limits.ts';
import type { Level, LevelThreshold } from './levels.ts';

/** How a line looks: pino's own fields, or those of OpenTelemetry, Elastic Common Schema or Google Cloud. */
export type LogFormat = 'pino' | 'otel' | 'ecs' | 'gcp';

/** Takes finished lines, each with its line feed. */
export interface LineDestination {
  write(line: string): void;
}

/** Turns the value of one field into what is logged. A throw is caught and shown as `[threw]`. */
export type Serializers = Readonly<Record<string, (value: never) => unknown>>;

export interface RedactOptions {
  /** Names of fields to redact beside the default ones, at any depth; case and the separators `-`, `_`, `.` do not matter. */
  keys?: readonly string[];
  /** Names that are never redacted, such as `pageToken`. */
  allow?: readonly string[];
  /** Patterns to redact in every string, beside the default ones. They should take linear time: nothing here can check it. */
  patterns?: readonly RegExp[];
  /** What becomes of `pii(v)`: `[pii]`, a keyed hash (needs `hashKey`), or the value. Default: `mask`. */
  pii?: 'mask' | 'hash' | 'off';
  /** The key of the hash, the same in every process whose lines are to be joined. At least 16 characters. */
  hashKey?: string;
}

export interface LoggerOptions {
  /** Name of the service or component, written on every line. Default: none. */
  name?: string;
  /** The least level that is logged; a text from the environment is checked like any other. Default: `info`. */
  level?: LevelThreshold | (string & {});
  /** Default: `pino`. */
  format?: LogFormat;
  /** A file descriptor, a path, or an object with `write(line)`. Default: 1, the standard output. */
  destination?: number | string | LineDestination;
  /** Redaction is always on; this adds to it. */
  redact?: RedactOptions;
  /** Fields for every line. */
  bindings?: Readonly<Record<string, unknown>>;
  /** For fields that need their own form, such as `req`. Errors are always written by the logger itself. */
  serializers?: Serializers;
  /** Share of lines to keep, by level, above 0 up to 1. A kept line says `sample_rate`. Default: all of them. */
  sampling?: Readonly<Partial<Record<Level, number>>>;
  /** Bounds of one line, laid over the defaults. */
  limits?: Partial<LineLimits>;
  /** Most bytes kept while the destination does not take them; then the oldest lines go, info and below first. Default: 8,388,608. */
  maxBacklogBytes?: number;
  /** Default: the system clock. */
  clock?: Clock;
  /** For sampling. Default: `Math.random`. */
  random?: Random;
}

/** Options of a child that differ from its parent. Others are ignored, since frameworks hand over options of their own. */
export interface ChildOptions {
  /** A level of its own, from then on independent of the parent's. Default: whatever the parent's is. */
  level?: LevelThreshold | (string & {}) | undefined;
  /** Beside those of the parent. */
  serializers?: Serializers | undefined;
}
