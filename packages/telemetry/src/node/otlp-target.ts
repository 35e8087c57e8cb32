import { OptionsError, withheld } from '@macadam/core';
import { readFileSync } from 'node:fs';
import { choiceFrom, type Environment, pairsFrom, type Signal, textFrom, timeoutFrom } from './environment.ts';

/** Where and how one signal is sent. */
export interface OtlpTarget {
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly headers: Readonly<Record<string, string>>;
  /** For one batch, repetitions included. */
  readonly timeoutMs: number;
  readonly compression: 'gzip' | 'none';
  /** Files in PEM, read already. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
}

const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/;
/** What HTTP carries in a field (RFC 9110, 5.5): a line feed, say, would fail each export, and only then. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * What the standard variables say about a signal, or undefined when it is not to be sent: without an endpoint nothing
 * is, so that a laptop and a test do not retry against a collector that is not there.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function otlpTarget(signal: Signal, env: Environment): OtlpTarget | undefined {
  const exporter = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  if (choiceFrom(env, exporter, ['otlp', 'none']) === 'none') return undefined;
  const url = endpoint(signal, env);
  if (url === undefined) return undefined;
  const variable = (what: string): string => variableOf(signal, what, env);
  return {
    url,
    protocol: choiceFrom(env, variable('PROTOCOL'), ['http/protobuf', 'http/json']) ?? 'http/protobuf',
    headers: {
      ...pairsFrom(env, 'OTEL_EXPORTER_OTLP_HEADERS', HEADER_NAME, HEADER_VALUE),
      ...pairsFrom(env, ownVariable(signal, 'HEADERS'), HEADER_NAME, HEADER_VALUE),
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

function ownVariable(signal: Signal, what: string): string {
  return `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_${what}`;
}

/** The variable that counts: the signal's own, where it is set. */
function variableOf(signal: Signal, what: string, env: Environment): string {
  const own = ownVariable(signal, what);
  return textFrom(env, own) === undefined ? `OTEL_EXPORTER_OTLP_${what}` : own;
}

/** A signal's own endpoint is used as it is; the common one gets the path of the signal. */
function endpoint(signal: Signal, env: Environment): string | undefined {
  const name = variableOf(signal, 'ENDPOINT', env);
  const text = textFrom(env, name);
  if (text === undefined) return undefined;
  // Not shown: it may hold a token.
  if (!URL.canParse(text) || !/^https?:/.test(text))
    throw new OptionsError(name, withheld(text), 'an http or https URL');
  return name === ownVariable(signal, 'ENDPOINT') ? text : `${text.replace(/\/+$/, '')}/v1/${signal}`;
}

function fileFrom(part: 'ca' | 'cert' | 'key', env: Environment, name: string): OtlpTarget['tls'] {
  const path = textFrom(env, name);
  if (path === undefined) return {};
  try {
    return { [part]: readFileSync(path) };
  } catch {
    throw new OptionsError(name, path, 'a file that can be read');
  }
}
