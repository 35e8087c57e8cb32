import type { Clock } from './clock.ts';
import { OptionsError, withheld } from './errors.ts';

/** The allowed range of a number. */
export interface Range {
  /** The minimum, inclusive. Default: none. */
  min?: number;
  /** The maximum, inclusive. Default: none. */
  max?: number;
  /** The minimum, exclusive. Default: none. */
  above?: number;
  /** Whether `Infinity` is allowed. Default: false. */
  infinite?: boolean;
}

/** Throws {@link OptionsError} unless `value` is a number in the range. */
export function assertNumber(path: string, value: unknown, range: Range = {}): asserts value is number {
  if (typeof value !== 'number' || !isWithin(value, range)) {
    throw new OptionsError(path, value, `a number${describeRange(range)}`);
  }
}

/** Throws {@link OptionsError} unless `value` is an integer in the range. */
export function assertInteger(path: string, value: unknown, range: Range = {}): asserts value is number {
  if (typeof value !== 'number' || !isWithin(value, range) || (Number.isFinite(value) && !Number.isInteger(value))) {
    throw new OptionsError(path, value, `a whole number${describeRange(range)}`);
  }
}

/** Throws {@link OptionsError} unless `value` is a number of milliseconds in the range, by default above 0. */
export function assertDurationMs(path: string, value: unknown, range: Range = { above: 0 }): asserts value is number {
  if (typeof value !== 'number' || !isWithin(value, range)) {
    throw new OptionsError(path, value, `a number of milliseconds${describeRange(range)}`);
  }
}

/** Throws {@link OptionsError} unless `value` is true or false. */
export function assertBoolean(path: string, value: unknown): asserts value is boolean {
  if (typeof value !== 'boolean') throw new OptionsError(path, value, 'true or false');
}

/** Throws {@link OptionsError} unless `value` is a string that is not empty. */
export function assertText(path: string, value: unknown): asserts value is string {
  if (typeof value !== 'string' || value.length === 0)
    throw new OptionsError(path, value, 'a string that is not empty');
}

/** Throws {@link OptionsError} unless `value` is a function. */
export function assertFunction(path: string, value: unknown): asserts value is (...args: never[]) => unknown {
  if (typeof value !== 'function') throw new OptionsError(path, value, 'a function');
}

/** Throws {@link OptionsError} unless `value` is one of `allowed`. */
export function assertOneOf<T extends string>(path: string, value: unknown, allowed: readonly T[]): asserts value is T {
  if (!allowed.includes(value as T)) {
    throw new OptionsError(path, value, `one of ${allowed.map((one) => JSON.stringify(one)).join(', ')}`);
  }
}

/** Throws {@link OptionsError} unless `value` is an object and not an array. */
export function assertObject(path: string, value: unknown): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    // A string in place of an options object is often a secret, passed without its option name.
    throw new OptionsError(path, withheld(value), 'an object');
  }
}

/** Throws {@link OptionsError} unless `value` is a {@link Clock}. */
export function assertClock(path: string, value: unknown): asserts value is Clock {
  const clock = value as Partial<Clock> | null | undefined;
  const methods = [clock?.now, clock?.monotonic, clock?.setTimer, clock?.sleep];
  if (!methods.every((one) => typeof one === 'function')) {
    throw new OptionsError(path, value, 'a clock, with now, monotonic, setTimer and sleep');
  }
}

/** Throws {@link OptionsError} unless `value` is an `AbortSignal` of any realm, or undefined. */
export function assertSignal(path: string, value: unknown): asserts value is AbortSignal | undefined {
  if (value === undefined || typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function') return;
  throw new OptionsError(path, value, 'an AbortSignal');
}

/** Throws {@link OptionsError} if `options` has a property that is not in `known`; it suggests the nearest known name. */
export function assertKnownOptions(path: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const nearest = known.find((one) => isNear(name, one));
    const hint =
      nearest === undefined ? `left out, or one of ${known.join(', ')}` : `left out (did you mean ${nearest}?)`;
    // The value of an unknown option can be anything, also a secret.
    const value = withheld((options as Record<string, unknown>)[name]);
    throw new OptionsError(path === '' ? name : `${path}.${name}`, value, hint);
  }
}

function isWithin(value: number, { min, max, above, infinite = false }: Range): boolean {
  if (Number.isNaN(value)) return false;
  if (!Number.isFinite(value) && !(infinite && value > 0)) return false;
  if (min !== undefined && value < min) return false;
  if (above !== undefined && value <= above) return false;
  return max === undefined || value <= max || (infinite && value === Infinity);
}

function describeRange({ min, max, above, infinite = false }: Range): string {
  const low = above !== undefined ? `above ${above}` : min !== undefined ? `of at least ${min}` : '';
  const high = max === undefined ? '' : `${low === '' ? 'of ' : ' and '}at most ${max}`;
  const words = `${low}${high}`;
  return `${words === '' ? '' : ` ${words}`}${infinite ? ', or Infinity' : ''}`;
}

/** Whether two names differ by one letter that was added, left out or changed, by case, or by a missing end. */
function isNear(typed: string, known: string): boolean {
  const a = typed.toLowerCase();
  const b = known.toLowerCase();
  if (a === b || b.startsWith(a) || a.startsWith(b)) return true;
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const rest = (text: string): string[] => [text.slice(start), text.slice(start + 1)];
  return rest(a).some((left) => rest(b).includes(left));
}
