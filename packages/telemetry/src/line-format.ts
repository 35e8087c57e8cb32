import { hostname } from 'node:os';
import type { SpanContext } from '@opentelemetry/api';
import type { ErrorNames } from './encode/error-writer.ts';
import type { LogFormat } from './options.ts';

/** How a line looks. The text pieces are JSON, ready to be joined. */
export interface LineFormat {
  /** From `{` to the value of the time, for each level in the order of `levels`. */
  readonly heads: readonly string[];
  /** The value of the time, as JSON. */
  time(epochMs: number): string;
  /** `,"pid":…` and the like. */
  readonly base: string;
  /** Around the caller's own fields. */
  readonly open: string;
  readonly close: string;
  /** `,"msg":` */
  readonly message: string;
  /** The name under which `err` is written. */
  readonly errorName: string;
  readonly errorNames: ErrorNames;
  /** Names that a caller's field may not take; it is written below `shadowed`. */
  readonly reserved: ReadonlySet<string>;
  /** `,"trace_id":…` */
  trace(span: SpanContext): string;
}

/** The name of the object that keeps the caller's fields whose names are taken. */
export const SHADOWED = 'shadowed';

const quote = (text: string): string => JSON.stringify(text);
const iso = (epochMs: number): string => `"${new Date(epochMs).toISOString()}"`;
const flags = (span: SpanContext): string => (span.traceFlags & 0xff).toString(16).padStart(2, '0');
const otelTrace = (span: SpanContext): string =>
  `,"trace_id":"${span.traceId}","span_id":"${span.spanId}","trace_flags":"${flags(span)}"`;
const pinoErrors: ErrorNames = { message: 'message', stack: 'stack' };

const formats: Record<LogFormat, (name: string | undefined) => LineFormat> = {
  pino: (name) => ({
    heads: [10, 20, 30, 40, 50, 60].map((value) => `{"level":${value},"time":`),
    time: String,
    base: `,"pid":${process.pid},"hostname":${quote(hostname())}${name === undefined ? '' : `,"name":${quote(name)}`}`,
    open: '',
    close: '',
    message: ',"msg":',
    errorName: 'err',
    errorNames: pinoErrors,
    reserved: new Set([
      ...['level', 'time', 'pid', 'hostname', 'msg', 'trace_id', 'span_id', 'trace_flags', 'sample_rate', SHADOWED],
      ...(name === undefined ? [] : ['name']),
    ]),
    trace: otelTrace,
  }),
  // The fields of the OpenTelemetry log data model, in the snake case of its JSON examples.
  otel: (name) => ({
    heads: ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].map(
      (text, i) => `{"severity_text":"${text}","severity_number":${1 + 4 * i},"timestamp":`,
    ),
    time: iso,
    base: `,"resource":{"process.pid":${process.pid},"host.name":${quote(hostname())}${
      name === undefined ? '' : `,"service.name":${quote(name)}`
    }}`,
    open: ',"attributes":{',
    close: '}',
    message: ',"body":',
    errorName: 'exception',
    errorNames: { message: 'message', stack: 'stacktrace' },
    reserved: new Set(['exception', 'sample_rate', SHADOWED]),
    trace: otelTrace,
  }),
  // Elastic Common Schema 8.
  ecs: (name) => ({
    heads: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map((text) => `{"log.level":"${text}","@timestamp":`),
    time: iso,
    base: `,"ecs.version":"8.11.0","process.pid":${process.pid},"host.hostname":${quote(hostname())}${
      name === undefined ? '' : `,"service.name":${quote(name)}`
    }`,
    open: '',
    close: '',
    message: ',"message":',
    errorName: 'error',
    errorNames: { message: 'message', stack: 'stack_trace' },
    reserved: new Set([
      ...['log.level', '@timestamp', 'ecs.version', 'process.pid', 'host.hostname', 'service.name', 'message', 'error'],
      ...['trace.id', 'span.id', 'sample_rate', 'log', 'ecs', 'trace', 'span', SHADOWED],
    ]),
    trace: (span) => `,"trace.id":"${span.traceId}","span.id":"${span.spanId}"`,
  }),
  // Google Cloud structured logging.
  gcp: (name) => ({
    heads: ['DEBUG', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'].map((text) => `{"severity":"${text}","time":`),
    time: iso,
    base: `,"pid":${process.pid},"hostname":${quote(hostname())}${
      name === undefined ? '' : `,"serviceContext":{"service":${quote(name)}}`
    }`,
    open: '',
    close: '',
    message: ',"message":',
    errorName: 'err',
    errorNames: pinoErrors,
    reserved: new Set([
      ...['severity', 'time', 'pid', 'hostname', 'serviceContext', 'message', 'sample_rate', SHADOWED],
      ...['logging.googleapis.com/trace', 'logging.googleapis.com/spanId', 'logging.googleapis.com/trace_sampled'],
    ]),
    trace: (span) =>
      `,"logging.googleapis.com/trace":"${span.traceId}","logging.googleapis.com/spanId":"${span.spanId}"` +
      `,"logging.googleapis.com/trace_sampled":${(span.traceFlags & 1) === 1}`,
  }),
};

/** The format called `format`, for a logger called `name`. */
export function lineFormat(format: LogFormat, name: string | undefined): LineFormat {
  return formats[format](name);
}
