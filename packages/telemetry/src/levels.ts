/** Severity of a log line. */
export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** The minimum level that a logger writes. `silent` writes nothing. */
export type LevelThreshold = Level | 'silent';

/** The numeric value of each level, as pino has them. */
export const levelValues: Readonly<Record<LevelThreshold, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Infinity,
};

/** The levels of log lines, least severe first. */
export const levels: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The thresholds a logger can have. */
export const levelThresholds: readonly LevelThreshold[] = [...levels, 'silent'];
