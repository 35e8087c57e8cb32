import { assertDurationMs, assertInteger, assertOneOf, OptionsError, withheld } from '@macadam/core';

/** The three signals, as OpenTelemetry spells them in names of variables and paths. */
export type Signal = 'traces' | 'metrics' | 'logs';

/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The longest delay of a Node timer (24.8 days). The specification defines a timeout of 0 as no limit. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** The value of a variable. By the specification, an empty one counts as not set. */
export function textFrom(env: Environment, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}

/** An integer of at least `min`. */
export function countFrom(env: Environment, name: string, min: number): number | undefined {
  const value = numberFrom(env, name);
  if (value !== undefined) assertInteger(name, value, { min });
  return value as number | undefined;
}

/** A duration in milliseconds, above 0 unless a minimum is given. */
export function durationFrom(env: Environment, name: string, range?: { min: number }): number | undefined {
  const value = numberFrom(env, name);
  if (value !== undefined) assertDurationMs(name, value, range);
  return value as number | undefined;
}

/** A timeout in milliseconds; 0 stands for no timeout. */
export function timeoutFrom(env: Environment, name: string): number | undefined {
  const value = durationFrom(env, name, { min: 0 });
  return value === 0 ? NO_TIMEOUT_MS : value;
}

/** One of the allowed words, in any case. */
export function choiceFrom<T extends string>(env: Environment, name: string, allowed: readonly T[]): T | undefined {
  const word = textFrom(env, name)?.toLowerCase();
  if (word !== undefined) assertOneOf(name, word, allowed);
  return word as T | undefined;
}

/** A percent-encoded list `a=1,b=2`. Malformed pairs are refused: to skip them could drop an API key. */
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
    const key = decode(pair.slice(0, Math.max(at, 0)).trim());
    if (!isKey.test(key)) throw new OptionsError(name, withheld(pair), 'name=value, with commas in between');
    const value = decode(pair.slice(at + 1).trim());
    if (!isValue.test(value)) throw new OptionsError(name, withheld(value), `a value of ${key} that can be sent`);
    pairs[key] = value;
  }
  return pairs;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether `OTEL_SDK_DISABLED` is true. Other values than `true` and `false` are refused: `1` would not disable the SDK. */
export function isDisabled(env: Environment): boolean {
  return choiceFrom(env, 'OTEL_SDK_DISABLED', ['true', 'false']) === 'true';
}

/** Returns text that is not a number unchanged, so that the error shows it. */
function numberFrom(env: Environment, name: string): unknown {
  const text = textFrom(env, name);
  const value = Number(text);
  return Number.isNaN(value) ? text : value;
}
