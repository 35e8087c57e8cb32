export { createLogger } from './create-logger.ts';
export type { LineLimits } from './encode/limits.ts';
export { levels, levelValues } from './levels.ts';
export type { Level, LevelThreshold } from './levels.ts';
export type { Logger, LoggerStats, LogMethod } from './logger.ts';
export type { SinkStats } from './sink.ts';
export type { ChildOptions, LineDestination, LogFormat, LoggerOptions, RedactOptions, Serializers } from './options.ts';
export { pii, secret } from './sensitive.ts';
export type { Pii, Secret } from './sensitive.ts';
