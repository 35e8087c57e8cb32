import { OptionsError, withheld } from '@macadam/core';

/** The three kinds of telemetry, as OpenTelemetry spells them in names of variables. */
export type Signal = 'traces' | 'metrics' | 'logs';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Where and how one signal is sent. */
export interface OtlpTarget {
  readonly url: string;
  readonly protocol: 'http/protobuf' | 'http/json';
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * What the standard variables say about a signal, or undefined when it is not to be sent: without an endpoint nothing
 * is, so that a laptop and a test do not retry against a collector that is not there.
 * https://opentelemetry.io/docs/specs/otel/protocol/exporter/
 */
export function otlpTarget(signal: Signal, env: Environment): OtlpTarget | undefined {
  const upper = signal.toUpperCase();
  if (isDisabled(env)) return undefined;
  const exporter = env[`OTEL_${upper}_EXPORTER`]?.trim() || 'otlp';
  if (exporter === 'none') return undefined;
  if (exporter !== 'otlp') throw new OptionsError(`OTEL_${upper}_EXPORTER`, exporter, '"otlp" or "none"');
  const url = endpoint(signal, env);
  if (url === undefined) return undefined;
  const name = env[`OTEL_EXPORTER_OTLP_${upper}_PROTOCOL`]?.trim() ? `${upper}_` : '';
  const protocol = env[`OTEL_EXPORTER_OTLP_${name}PROTOCOL`]?.trim() || 'http/protobuf';
  if (protocol !== 'http/protobuf' && protocol !== 'http/json') {
    throw new OptionsError(`OTEL_EXPORTER_OTLP_${name}PROTOCOL`, protocol, '"http/protobuf" or "http/json"');
  }
  const headers = {
    ...headersFrom('OTEL_EXPORTER_OTLP_HEADERS', env),
    ...headersFrom(`OTEL_EXPORTER_OTLP_${upper}_HEADERS`, env),
  };
  return { url, protocol, headers };
}

/** The share of new traces to keep, by `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`; undefined when not set. */
export function samplerRatio(env: Environment): number | undefined {
  const sampler = env['OTEL_TRACES_SAMPLER']?.trim();
  switch (sampler) {
    case undefined:
    case '':
      return undefined;
    case 'always_on':
    case 'parentbased_always_on':
      return 1;
    case 'always_off':
    case 'parentbased_always_off':
      return 0;
    case 'traceidratio':
    case 'parentbased_traceidratio': {
      // A variable that is empty counts as one that is not set.
      const text = env['OTEL_TRACES_SAMPLER_ARG']?.trim() || '1';
      const ratio = Number(text);
      if (ratio >= 0 && ratio <= 1) return ratio;
      throw new OptionsError('OTEL_TRACES_SAMPLER_ARG', text, 'a number from 0 to 1');
    }
    default:
      throw new OptionsError(
        'OTEL_TRACES_SAMPLER',
        sampler,
        'always_on, always_off or traceidratio, with or without parentbased_',
      );
  }
}

/** Whether `OTEL_SDK_DISABLED` says so. What is neither yes nor no is told: `1` would send what nobody wants sent. */
export function isDisabled(env: Environment): boolean {
  const text = env['OTEL_SDK_DISABLED']?.trim().toLowerCase() || 'false';
  if (text !== 'true' && text !== 'false') throw new OptionsError('OTEL_SDK_DISABLED', text, '"true" or "false"');
  return text === 'true';
}

/** A signal's own endpoint is used as it is; the common one gets the path of the signal. */
function endpoint(signal: Signal, env: Environment): string | undefined {
  const own = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`]?.trim();
  const common = env['OTEL_EXPORTER_OTLP_ENDPOINT']?.trim();
  const name = own ? `OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT` : 'OTEL_EXPORTER_OTLP_ENDPOINT';
  const text = own || common;
  if (!text) return undefined;
  // Not shown: it may hold a token.
  if (!URL.canParse(text) || !/^https?:/.test(text))
    throw new OptionsError(name, withheld(text), 'an http or https URL');
  return own ? text : `${text.replace(/\/+$/, '')}/v1/${signal}`;
}

/** `a=1,b=2`, percent-encoded. A pair that is none is refused: what was to be sent with it, such as a key, would be missing. */
function headersFrom(variable: string, env: Environment): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const pair of (env[variable] ?? '').split(',')) {
    if (pair.trim() === '') continue;
    const at = pair.indexOf('=');
    const name = pair.slice(0, Math.max(at, 0)).trim();
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
      throw new OptionsError(variable, withheld(pair), 'name=value, with commas in between');
    const value = pair.slice(at + 1).trim();
    try {
      headers[name] = decodeURIComponent(value);
    } catch {
      headers[name] = value;
    }
  }
  return headers;
}
