import { assertOneOf, type Clock, type Random } from '@macadam/core';
import { fieldsOf } from './fields-of.ts';
import { type Level, levels, levelThresholds, type LevelThreshold, levelValues } from './levels.ts';
import { type Bindings, noBindings, type WorkSummary } from './line.ts';
import type { LineWriter } from './line-writer.ts';
import type { ChildOptions, Serializers } from './options.ts';
import type { LineSink, SinkStats } from './sink.ts';

/** Logs one line. An Error as the first argument is logged as `err`. Never throws. */
export interface LogMethod {
  (fields: object, message?: string, ...args: unknown[]): void;
  (message: string, ...args: unknown[]): void;
}

/** What a logger has done, in plain numbers. */
export interface LoggerStats extends SinkStats {
  /** Lines made, by level. */
  readonly lines: Readonly<Record<Level, number>>;
  /** Strings, lists and objects that were cut to the limits. */
  readonly cut: number;
  /** Lines left out by `sampling`. */
  readonly sampledOut: number;
}

/** pino's call shapes. All methods belong to the logger: call them on it. */
export interface Logger {
  trace: LogMethod;
  debug: LogMethod;
  info: LogMethod;
  warn: LogMethod;
  error: LogMethod;
  fatal: LogMethod;
  silent: LogMethod;
  /** The least level that is logged. Setting it takes effect at once, also for its children that have no level of their own. */
  level: string;
  isLevelEnabled(level: string): boolean;
  /** A logger that writes `bindings` on every line; they are redacted and written once, now. */
  child(bindings: Readonly<Record<string, unknown>>, options?: ChildOptions): Logger;
  /** Settles, within a second, when everything logged so far has been handed to the operating system, or waits for longer (`stats().backlogBytes`). */
  flush(callback?: (error?: Error) => void): Promise<void>;
  /** The effective options, in words. */
  describe(): string;
  stats(): LoggerStats;
  /** Flushes, and closes what the logger opened itself. What is logged later is dropped and counted. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a logger and all its children share. */
export interface LogCore {
  readonly writer: LineWriter;
  readonly sink: LineSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly sampling: readonly number[];
  readonly counts: number[];
  readonly description: string;
  sampledOut: number;
}

const LAST_RESORT = '{"level":50,"msg":"[this line could not be written]"}\n';
const NO_ARGS: readonly unknown[] = [];
const ignore: LogMethod = () => {};

/** The class of a logger and of its children that have no level of their own. */
type LevelClass = new (core: LogCore, bindings: Bindings, serializers: Serializers | undefined) => CoreLogger;

export class CoreLogger implements Logger {
  declare trace: LogMethod;
  declare debug: LogMethod;
  declare info: LogMethod;
  declare warn: LogMethod;
  declare error: LogMethod;
  declare fatal: LogMethod;
  declare silent: LogMethod;
  /** Name of the threshold; stands on the prototype of the level class. */
  declare threshold: LevelThreshold;
  /** Whose level it is; stands there too. */
  declare levelOwner: CoreLogger;
  readonly core: LogCore;
  readonly bindings: Bindings;
  readonly serializers: Serializers | undefined;

  constructor(core: LogCore, bindings: Bindings, serializers: Serializers | undefined) {
    this.core = core;
    this.bindings = bindings;
    this.serializers = serializers;
  }

  get level(): LevelThreshold {
    return this.threshold;
  }

  set level(level: string) {
    assertOneOf('logger.level', level, levelThresholds);
    if (this.levelOwner === this) setLevel(Object.getPrototypeOf(this) as CoreLogger, level);
    else ownLevel(this, level);
  }

  isLevelEnabled(level: string): boolean {
    const value = levelValues[level as LevelThreshold];
    return value !== undefined && value >= levelValues[this.threshold];
  }

  child(bindings: Readonly<Record<string, unknown>>, options: ChildOptions = {}): Logger {
    let serializers = this.serializers;
    if (options.serializers !== undefined) serializers = { ...serializers, ...options.serializers };
    const own = this.core.writer.bind(this.bindings, bindings, serializers);
    const { level } = options;
    if (level === undefined) return new (this.constructor as LevelClass)(this.core, own, serializers);
    assertOneOf('child.level', level, levelThresholds);
    return ownLevel(new CoreLogger(this.core, own, serializers), level);
  }

  flush(callback?: (error?: Error) => void): Promise<void> {
    const flushed = this.core.sink.flush();
    // Errors of the callback are its owner's, as with any callback.
    if (callback !== undefined) void flushed.then(() => callback());
    return flushed;
  }

  describe(): string {
    return `logs ${this.threshold} and above ${this.core.description}`;
  }

  stats(): LoggerStats {
    const { counts, writer, sampledOut, sink } = this.core;
    const lines = Object.fromEntries(levels.map((level, i) => [level, counts[i] ?? 0])) as Record<Level, number>;
    return { lines, cut: writer.cut, sampledOut, ...sink.stats() };
  }

  close(): Promise<void> {
    return this.core.sink.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** One line of a unit of work, with a summary before what was annotated. Never sampled: that was decided before. */
  writeWork(level: Level, work: WorkSummary, annotations: object): void {
    const { core, bindings, serializers } = this;
    if (!this.isLevelEnabled(level)) return;
    const index = levels.indexOf(level);
    try {
      const time = core.clock.now();
      const line = {
        level: index,
        time,
        bindings,
        serializers,
        fields: annotations,
        message: work.event,
        args: NO_ARGS,
        sampleRate: undefined,
        work,
      };
      core.counts[index]!++;
      core.sink.write(core.writer.line(line), index);
    } catch {
      core.sink.write(LAST_RESORT, index);
    }
  }

  write(level: number, first: unknown, message: unknown, args: readonly unknown[]): void {
    const { core } = this;
    let sampleRate: number | undefined = core.sampling[level];
    if (sampleRate === 1) sampleRate = undefined;
    else if (core.random() >= sampleRate!) {
      core.sampledOut++;
      return;
    }
    const isFields = typeof first === 'object' && first !== null;
    const line = core.writer.line({
      level,
      time: core.clock.now(),
      bindings: this.bindings,
      serializers: this.serializers,
      fields: isFields ? fieldsOf(first) : undefined,
      // `log.info(undefined, 'text')` and `log.info(null, 'text')` are meant as no fields.
      message: isFields || first == null ? message : first,
      args:
        isFields || first == null ? args : message === undefined && args.length === 0 ? NO_ARGS : [message, ...args],
      sampleRate,
    });
    core.counts[level]!++;
    core.sink.write(line, level);
  }
}

/** One method a level, made once for all loggers. */
const methods: readonly LogMethod[] = levels.map((_, level) => {
  return function log(this: CoreLogger, first: unknown, message?: unknown, ...args: unknown[]): void {
    try {
      this.write(level, first, message, args);
    } catch {
      // Whatever was handed in fails, a clock or a random source: there is still a line, and it still does not throw.
      this.core.sink.write(LAST_RESORT, level);
    }
  } as LogMethod;
});

/**
 * Gives a logger a level that can be changed: a class of its own, whose prototype holds the methods, a shared no-op where
 * disabled. Children made from then on are of the same class, and so follow at no cost.
 */
function ownLevel(logger: CoreLogger, level: LevelThreshold): Logger {
  const { prototype } = class extends CoreLogger {};
  setLevel(prototype, level);
  prototype.levelOwner = logger;
  return Object.setPrototypeOf(logger, prototype) as Logger;
}

function setLevel(prototype: CoreLogger, level: LevelThreshold): void {
  levels.forEach((name, i) => (prototype[name] = levelValues[name] >= levelValues[level] ? methods[i]! : ignore));
  prototype.silent = ignore;
  prototype.threshold = level;
}

/** The root logger of a core. */
export function rootLogger(core: LogCore, level: LevelThreshold, bindings: object, serializers?: Serializers): Logger {
  return ownLevel(new CoreLogger(core, core.writer.bind(noBindings, bindings, serializers), serializers), level);
}
