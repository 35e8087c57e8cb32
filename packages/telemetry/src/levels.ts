/** Severity of a line, least first. `silent` is a threshold only: nothing is logged at it. */
export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** A threshold: lines below it are not made. */
export type LevelThreshold = Level | 'silent';

/** pino's numbers, which dashboards and pino-pretty know. */
export const levelValues: Readonly<Record<LevelThreshold, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Infinity,
};

/** The levels a line can have, least severe first. */
export const levels: readonly Level[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/** The thresholds a logger can have. */
export const levelThresholds: readonly LevelThreshold[] = [...levels, 'silent'];
