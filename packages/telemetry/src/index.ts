export { levels, levelValues } from './levels.ts';
export type { Level, LevelThreshold } from './levels.ts';
