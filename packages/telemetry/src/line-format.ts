import { hostname } from 'node:os';
import type { SpanContext } from '@opentelemetry/api';
import type { ErrorNames } from './encode/error-writer.ts';
import type { LogFormat } from './options.ts';

/** The parts of a line that depend on its format. The strings are pieces of JSON that are concatenated. */
export interface LineFormat {
  /** The line from `{` up to the value of the time, for each level in the order of `levels`. */
  readonly levelPrefixes: readonly string[];
  /** Returns the value of the time as JSON. */
  formatTime(epochMs: number): string;
  /** The fields about the process and the logger, such as `,"pid":…`. */
  readonly processFields: string;
  /** What encloses the caller's fields. */
  readonly fieldsOpen: string;
  readonly fieldsClose: string;
  /** The name of the message with a comma, such as `,"msg":`. */
  readonly messageKey: string;
  /** The same with the beginning of a string. */
  readonly messageString: string;
  /** The name under which the field `err` is written. */
  readonly errorName: string;
  readonly errorNames: ErrorNames;
  /** Names that the format uses itself. A field of the caller with such a name is written inside `shadowed`. */
  readonly reserved: ReadonlySet<string>;
  /** Returns the fields of the active span, such as `,"trace_id":…`. */
  traceFields(span: SpanContext): string;
}

/** The name of the object that holds the caller's fields whose names are reserved. */
export const SHADOWED = 'shadowed';

const quote = (text: string): string => JSON.stringify(text);
const iso = (epochMs: number): string => `"${new Date(epochMs).toISOString()}"`;
const traceFlagsHex = (span: SpanContext): string => (span.traceFlags & 0xff).toString(16).padStart(2, '0');
const otelTrace = (span: SpanContext): string =>
  `,"trace_id":"${span.traceId}","span_id":"${span.spanId}","trace_flags":"${traceFlagsHex(span)}"`;
const pinoErrors: ErrorNames = { message: 'message', stack: 'stack' };

const formats: Record<LogFormat, (name: string | undefined) => LineFormat> = {
  pino: (name) => ({
    levelPrefixes: [10, 20, 30, 40, 50, 60].map((value) => `{"level":${value},"time":`),
    formatTime: String,
    processFields: `,"pid":${process.pid},"hostname":${quote(hostname())}${name === undefined ? '' : `,"name":${quote(name)}`}`,
    fieldsOpen: '',
    fieldsClose: '',
    messageKey: ',"msg":',
    messageString: ',"msg":"',
    errorName: 'err',
    errorNames: pinoErrors,
    reserved: new Set([
      ...['level', 'time', 'pid', 'hostname', 'msg', 'trace_id', 'span_id', 'trace_flags', 'sample_rate', SHADOWED],
      ...(name === undefined ? [] : ['name']),
    ]),
    traceFields: otelTrace,
  }),
  // The fields of the OpenTelemetry log data model, in the snake case of its JSON examples.
  otel: (name) => ({
    levelPrefixes: ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'].map(
      (text, i) => `{"severity_text":"${text}","severity_number":${1 + 4 * i},"timestamp":`,
    ),
    formatTime: iso,
    processFields: `,"resource":{"process.pid":${process.pid},"host.name":${quote(hostname())}${
      name === undefined ? '' : `,"service.name":${quote(name)}`
    }}`,
    fieldsOpen: ',"attributes":{',
    fieldsClose: '}',
    messageKey: ',"body":',
    messageString: ',"body":"',
    errorName: 'exception',
    errorNames: { message: 'message', stack: 'stacktrace' },
    reserved: new Set(['exception', 'sample_rate', SHADOWED]),
    traceFields: otelTrace,
  }),
  // Elastic Common Schema 8.
  ecs: (name) => ({
    levelPrefixes: ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(
      (text) => `{"log.level":"${text}","@timestamp":`,
    ),
    formatTime: iso,
    processFields: `,"ecs.version":"8.11.0","process.pid":${process.pid},"host.hostname":${quote(hostname())}${
      name === undefined ? '' : `,"service.name":${quote(name)}`
    }`,
    fieldsOpen: '',
    fieldsClose: '',
    messageKey: ',"message":',
    messageString: ',"message":"',
    errorName: 'error',
    errorNames: { message: 'message', stack: 'stack_trace' },
    reserved: new Set([
      ...['log.level', '@timestamp', 'ecs.version', 'process.pid', 'host.hostname', 'service.name', 'message', 'error'],
      ...['trace.id', 'span.id', 'sample_rate', 'log', 'ecs', 'trace', 'span', SHADOWED],
    ]),
    traceFields: (span) => `,"trace.id":"${span.traceId}","span.id":"${span.spanId}"`,
  }),
  // Google Cloud structured logging.
  gcp: (name) => ({
    levelPrefixes: ['DEBUG', 'DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL'].map(
      (text) => `{"severity":"${text}","time":`,
    ),
    formatTime: iso,
    processFields: `,"pid":${process.pid},"hostname":${quote(hostname())}${
      name === undefined ? '' : `,"serviceContext":{"service":${quote(name)}}`
    }`,
    fieldsOpen: '',
    fieldsClose: '',
    messageKey: ',"message":',
    messageString: ',"message":"',
    errorName: 'err',
    errorNames: pinoErrors,
    reserved: new Set([
      ...['severity', 'time', 'pid', 'hostname', 'serviceContext', 'message', 'sample_rate', SHADOWED],
      ...['logging.googleapis.com/trace', 'logging.googleapis.com/spanId', 'logging.googleapis.com/trace_sampled'],
    ]),
    traceFields: (span) =>
      `,"logging.googleapis.com/trace":"${span.traceId}","logging.googleapis.com/spanId":"${span.spanId}"` +
      `,"logging.googleapis.com/trace_sampled":${(span.traceFlags & 1) === 1}`,
  }),
};

/** Returns the format of a logger called `name`. */
export function lineFormat(format: LogFormat, name: string | undefined): LineFormat {
  return formats[format](name);
}
