import { assertOneOf, type Clock, type Random } from '@macadam/core';
import { fieldsOf } from './fields-of.ts';
import { type Level, levels, levelThresholds, type LevelThreshold, levelValues } from './levels.ts';
import { type Bindings, noBindings, type WorkSummary } from './line.ts';
import type { LineWriter } from './line-writer.ts';
import type { ChildOptions, Serializers } from './options.ts';
import type { LineSink, SinkStats } from './sink.ts';

/** Logs one line. An Error as the first argument is logged as `err`. Never throws. */
export interface LogMethod {
  /** Logs fields with an optional message; `args` fill `%s`, `%d`, `%i`, `%f`, `%j`, `%o` and `%O` in it. */
  (fields: object, message?: string, ...args: unknown[]): void;
  /** Logs a message. */
  (message: string, ...args: unknown[]): void;
}

/** What a logger and its children have counted. */
export interface LoggerStats extends SinkStats {
  /** Lines written, by level. */
  readonly lines: Readonly<Record<Level, number>>;
  /** Strings, arrays, objects and errors that were cut to the limits. */
  readonly cut: number;
  /** Lines left out by `sampling`. */
  readonly sampledOut: number;
}

/**
 * A logger with pino's call signatures. Created by `createLogger`. Call its methods on the logger; they cannot be
 * detached from it.
 */
export interface Logger {
  /** Logs one line at level `trace` (10). */
  trace: LogMethod;
  /** Logs one line at level `debug` (20). */
  debug: LogMethod;
  /** Logs one line at level `info` (30). */
  info: LogMethod;
  /** Logs one line at level `warn` (40). */
  warn: LogMethod;
  /** Logs one line at level `error` (50). */
  error: LogMethod;
  /**
   * Logs one line at level `fatal` (60), and waits up to 200 ms for the destination to take it, since it is often the
   * last. Does not end the process.
   */
  fatal: LogMethod;
  /** Logs nothing, as in pino. */
  silent: LogMethod;
  /**
   * The minimum level that is logged. Setting it takes effect at once, also for the children that follow: each follows the
   * nearest logger that had a level of its own when it was created. Throws `MAC_INVALID_OPTIONS` for an unknown level.
   */
  level: string;
  /** Whether lines of this level are logged; false for an unknown level. */
  isLevelEnabled(level: string): boolean;
  /** Returns a logger that adds `bindings` to every line. They are redacted and serialized once, now. */
  child(bindings: Readonly<Record<string, unknown>>, options?: ChildOptions): Logger;
  /**
   * Resolves when everything logged so far has been handed to the operating system, or after a second;
   * `stats().backlogBytes` says what still waits. Never rejects.
   */
  flush(callback?: (error?: Error) => void): Promise<void>;
  /** Returns the effective options in words. */
  describe(): string;
  /** Returns the counts since the logger was created; a child shares those of its root. */
  stats(): LoggerStats;
  /** Flushes, and closes the destination if the logger opened it. Lines logged later are dropped and counted. */
  close(): Promise<void>;
  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** The state that a logger and all its children share. */
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

const UNWRITABLE_LINE = '{"level":50,"msg":"[this line could not be written]"}\n';
const NO_ARGS: readonly unknown[] = [];
const noop: LogMethod = () => {};

/** The class that a logger shares with its children without a level of their own; see {@link createLevelClass}. */
type LevelClass = new (core: LogCore, bindings: Bindings, serializers: Serializers | undefined) => CoreLogger;

export class CoreLogger implements Logger {
  declare trace: LogMethod;
  declare debug: LogMethod;
  declare info: LogMethod;
  declare warn: LogMethod;
  declare error: LogMethod;
  declare fatal: LogMethod;
  declare silent: LogMethod;
  /** The minimum level. A property of the prototype of the level class, like the log methods. */
  declare threshold: LevelThreshold;
  /** The logger whose level it is; also a property of that prototype. */
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
    else createLevelClass(this, level);
  }

  isLevelEnabled(level: string): boolean {
    const value = levelValues[level as LevelThreshold];
    return value !== undefined && value >= levelValues[this.threshold];
  }

  child(bindings: Readonly<Record<string, unknown>>, options: ChildOptions = {}): Logger {
    let serializers = this.serializers;
    if (options.serializers !== undefined) serializers = { ...serializers, ...options.serializers };
    const childBindings = this.core.writer.bind(this.bindings, bindings, serializers);
    const { level } = options;
    if (level === undefined) return new (this.constructor as LevelClass)(this.core, childBindings, serializers);
    assertOneOf('child.level', level, levelThresholds);
    return createLevelClass(new CoreLogger(this.core, childBindings, serializers), level);
  }

  flush(callback?: (error?: Error) => void): Promise<void> {
    const flushed = this.core.sink.flush();
    // If the callback throws, the rejection is unhandled, so that its owner learns of it.
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

  /** Logs the line of a unit of work: its summary, then the annotations. `withCanonicalLine` has done the sampling. */
  writeWork(level: Level, work: WorkSummary, annotations: object): void {
    const { core, bindings, serializers } = this;
    if (!this.isLevelEnabled(level)) return;
    const index = levels.indexOf(level);
    try {
      const line = {
        level: index,
        time: core.clock.now(),
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
      core.sink.write(UNWRITABLE_LINE, index);
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
      // `log.info(undefined, 'text')` and `log.info(null, 'text')` have no fields.
      message: isFields || first == null ? message : first,
      args:
        isFields || first == null ? args : message === undefined && args.length === 0 ? NO_ARGS : [message, ...args],
      sampleRate,
      work: undefined,
    });
    core.counts[level]!++;
    core.sink.write(line, level);
  }
}

/** One method per level, shared by all loggers. */
const methods: readonly LogMethod[] = levels.map((_, level) => {
  return function log(this: CoreLogger, first: unknown, message?: unknown, ...args: unknown[]): void {
    try {
      this.write(level, first, message, args);
    } catch {
      // The caller's clock or random source threw. A log call never does, and still writes a line.
      this.core.sink.write(UNWRITABLE_LINE, level);
    }
  } as LogMethod;
});

/**
 * Gives a logger a level of its own: a class whose prototype has the log methods, with a shared no-op for each disabled
 * level. A disabled call therefore costs one empty function. Children created afterwards are instances of the same
 * class, so that they follow when the level changes.
 */
function createLevelClass(logger: CoreLogger, level: LevelThreshold): Logger {
  const { prototype } = class extends CoreLogger {};
  setLevel(prototype, level);
  prototype.levelOwner = logger;
  return Object.setPrototypeOf(logger, prototype) as Logger;
}

function setLevel(prototype: CoreLogger, level: LevelThreshold): void {
  levels.forEach((name, i) => (prototype[name] = levelValues[name] >= levelValues[level] ? methods[i]! : noop));
  prototype.silent = noop;
  prototype.threshold = level;
}

export function rootLogger(core: LogCore, level: LevelThreshold, bindings: object, serializers?: Serializers): Logger {
  return createLevelClass(
    new CoreLogger(core, core.writer.bind(noBindings, bindings, serializers), serializers),
    level,
  );
}
