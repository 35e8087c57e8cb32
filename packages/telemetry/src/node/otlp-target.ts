import { OptionsError, withheld } from '@macadam/core';
import { readFileSync } from 'node:fs';
import { choiceFrom, type Environment, pairsFrom, type Signal, textFrom, timeoutFrom } from './environment.ts';

/** The endpoint of one signal and how to send to it. */
export interface OtlpTarget {
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly headers: Readonly<Record<string, string>>;
  /** Time limit of one batch, retries included. */
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  /** Contents of PEM files. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** The field values that HTTP allows (RFC 9110, 5.5). Others, such as one with a line feed, would fail every export. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Reads the standard variables of a signal. Returns undefined if it is not exported, also without an endpoint, so that laptops
 * and tests do not retry against a collector that is not there.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function otlpTarget(signal: Signal, env: Environment): OtlpTarget | undefined {
  const exporter = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  if (choiceFrom(env, exporter, ['otlp', 'none']) === 'none') return undefined;
  const url = endpoint(signal, env);
  if (url === undefined) return undefined;
  const variable = (suffix: string): string => effectiveVariable(signal, suffix, env);
  return {
    url,
    protocol: choiceFrom(env, variable('PROTOCOL'), ['http/protobuf', 'http/json']) ?? 'http/protobuf',
    headers: {
      ...pairsFrom(env, 'OTEL_EXPORTER_OTLP_HEADERS', HEADER_NAME, HEADER_VALUE),
      ...pairsFrom(env, signalVariable(signal, 'HEADERS'), HEADER_NAME, HEADER_VALUE),
    },
    timeoutMs: timeoutFrom(env, variable('TIMEOUT')) ?? 10_000,
    compression: choiceFrom(env, variable('COMPRESSION'), ['gzip', 'none']) ?? 'none',
    tls: {
      ...fileFrom('ca', env, variable('CERTIFICATE')),
      ...fileFrom('cert', env, variable('CLIENT_CERTIFICATE')),
      ...fileFrom('key', env, variable('CLIENT_KEY')),
    },
  };
}

function signalVariable(signal: Signal, suffix: string): string {
  return `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${suffix}`;
}

/** The variable of the signal if it is set, else the one for all signals. */
function effectiveVariable(signal: Signal, suffix: string, env: Environment): string {
  const own = signalVariable(signal, suffix);
  return textFrom(env, own) === undefined ? `OTEL_EXPORTER_OTLP_${suffix}` : own;
}

/** The endpoint of a signal is used unchanged; the path of the signal is added to the endpoint for all signals. */
function endpoint(signal: Signal, env: Environment): string | undefined {
  const name = effectiveVariable(signal, 'ENDPOINT', env);
  const text = textFrom(env, name);
  if (text === undefined) return undefined;
  // The error does not show the value, which can contain a token.
  if (!URL.canParse(text) || !/^https?:/.test(text))
    throw new OptionsError(name, withheld(text), 'an http or https URL');
  return name === signalVariable(signal, 'ENDPOINT') ? text : `${text.replace(/\/+$/, '')}/v1/${signal}`;
}

function fileFrom(part: 'ca' | 'cert' | 'key', env: Environment, name: string): OtlpTarget['tls'] {
  const path = textFrom(env, name);
  if (path === undefined) return {};
  try {
    return { [part]: readFileSync(path) };
  } catch {
    throw new OptionsError(name, path, 'a readable file');
  }
}
