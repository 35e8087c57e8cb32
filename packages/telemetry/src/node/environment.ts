import { assertDurationMs, assertInteger, assertOneOf, OptionsError, withheld } from '@macadam/core';

/** The three kinds of telemetry, as OpenTelemetry spells them in names of variables. */
export type Signal = 'traces' | 'metrics' | 'logs';

/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** What a timer can hold: as good as no limit, which is what the specification means by a timeout of 0. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** The value of a variable; one that is empty counts as one that is not set. */
export function textFrom(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

/** A whole number, from `min` on. */
export function countFrom(env: Environment, name: string, min: number): number | undefined {
  const value = numberFrom(env, name);
  if (value !== undefined) assertInteger(name, value, { min });
  return value as number | undefined;
}

/** A duration, in milliseconds; what is above 0 unless a range is given. */
export function durationFrom(env: Environment, name: string, range?: { min: number }): number | undefined {
  const value = numberFrom(env, name);
  if (value !== undefined) assertDurationMs(name, value, range);
  return value as number | undefined;
}

/** A time limit, in milliseconds; 0 is none. */
export function timeoutFrom(env: Environment, name: string): number | undefined {
  const value = durationFrom(env, name, { min: 0 });
  return value === 0 ? NO_TIMEOUT_MS : value;
}

/** One of some words, in whatever case. */
export function choiceFrom<T extends string>(env: Environment, name: string, allowed: readonly T[]): T | undefined {
  const word = textFrom(env, name)?.toLowerCase();
  if (word !== undefined) assertOneOf(name, word, allowed);
  return word as T | undefined;
}

/** `a=1,b=2`, percent-encoded. A pair that is none is refused: what was to be said with it, such as a key, would be missing. */
export function pairsFrom(
  env: Environment,
  name: string,
  isKey: RegExp,
  isValue: RegExp = /^/,
): Record<string, string> {
  const pairs: Record<string, string> = {};
  for (const pair of (env[name] ?? '').split(',')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    const key = decoded(pair.slice(0, Math.max(at, 0)).trim());
    if (!isKey.test(key)) throw new OptionsError(name, withheld(pair), 'name=value, with commas in between');
    const value = decoded(pair.slice(at + 1).trim());
    if (!isValue.test(value)) throw new OptionsError(name, withheld(value), `a value of ${key} that can be sent`);
    pairs[key] = value;
  }
  return pairs;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether `OTEL_SDK_DISABLED` says so. What is neither yes nor no is told: `1` would send what nobody wants sent. */
export function isDisabled(env: Environment): boolean {
  return choiceFrom(env, 'OTEL_SDK_DISABLED', ['true', 'false']) === 'true';
}

/** Text that is no number stays text, and is refused as what it is. */
function numberFrom(env: Environment, name: string): unknown {
  const text = textFrom(env, name);
  const value = Number(text);
  return Number.isNaN(value) ? text : value;
}
