export { VirtualClockError } from './errors.ts';
export type { VirtualClockErrorCode } from './errors.ts';
export { seededRandom } from './seeded-random.ts';
export type { SeededRandom } from './seeded-random.ts';
export { virtualClock } from './virtual-clock.ts';
export type { RunUntilOptions, VirtualClock, VirtualClockOptions } from './virtual-clock.ts';
