import type { Contender, Suite } from '../src/suite.ts';
import { recording, recordingByTelemetry } from './recording.ts';

/** All loggers write to a destination that discards lines, so that only creating a line is measured. */
const nowhere = { write: (line: string): number => line.length };

type Logging = Pick<import('@macadam/telemetry').Logger, 'info' | 'debug'>;
type Telemetry = typeof import('@macadam/telemetry');

const macadam = (name: string, setup: (m: Telemetry) => () => unknown): Contender => ({
  name,
  from: '@macadam/telemetry',
  setup: async () => ({ run: setup(await import('@macadam/telemetry')) }),
});

const macadamLog = (name: string, run: (log: Logging) => unknown): Contender =>
  macadam(name, ({ createLogger }) => {
    const log = createLogger({ destination: nowhere });
    return () => run(log);
  });

const pinoLog = (name: string, run: (log: Logging) => unknown, redact: string[] = []): Contender => ({
  name,
  from: 'pino',
  setup: async () => {
    const { pino } = await import('pino');
    const log = pino(redact.length === 0 ? {} : { redact }, nowhere);
    return { run: () => run(log as unknown as Logging) };
  },
});

/** Both take the message first and format JSON as in a service. */
type Line = (fields: object, message: string) => unknown;

const winston = (run: (line: Line) => unknown): Contender => ({
  ...{ name: 'winston', from: 'winston' },
  setup: async () => {
    const { default: lib } = await import('winston');
    const { Writable } = await import('node:stream');
    const stream = new Writable({ write: (_chunk, _encoding, done) => done() });
    const format = lib.format.combine(lib.format.timestamp(), lib.format.json());
    const log = lib.createLogger({ format, transports: [new lib.transports.Stream({ stream })] });
    return { run: () => run((fields, message) => log.info(message, fields)) };
  },
});

const logTape = (run: (line: Line) => unknown): Contender => ({
  ...{ name: 'LogTape', from: '@logtape/logtape' },
  setup: async () => {
    const { configure, getJsonLinesFormatter, getLogger } = await import('@logtape/logtape');
    const format = getJsonLinesFormatter();
    await configure({
      sinks: { nowhere: (record) => nowhere.write(format(record)) },
      loggers: [{ category: [], lowestLevel: 'info', sinks: ['nowhere'] }],
    });
    const log = getLogger(['bench']);
    return { run: () => run((fields, message) => log.info(message, { ...fields })) };
  },
});

const others = (fields: object, message: string): Contender[] =>
  [winston, logTape].map((make) => make((line) => line(fields, message)));

const plain = (log: Logging): void => log.info('hello world');
const five = { orderId: 17, plan: 'premium', ok: true, region: 'eu-central-1', durationMs: 12.5 };
const withFive = (log: Logging): void => log.info(five, 'order placed');
const twenty = {
  user: { id: 'u-17', name: 'Ada', password: 'x', plan: 'pro', tags: ['a', 'b', 'c'] },
  headers: { authorization: 'Bearer x', accept: 'application/json', 'user-agent': 'curl/8', host: 'orders.internal' },
  payment: { card: { token: 'abc', brand: 'visa', month: 4, year: 2030 }, amount: 1_250, currency: 'EUR', paid: true },
  items: [1, 2, 3, 4],
  total: 12.5,
  note: null,
  at: '2026-11-22T00:00:00Z',
};
const withTwenty = (log: Logging): void => log.info(twenty, 'order placed');
const thirty = Object.fromEntries(
  Array.from({ length: 30 }, (_, i) => [`field${i}`, [i, `value ${i}`, i % 2 === 0][i % 3]]),
);

/** A histogram of durations with the attributes of HTTP requests to a few routes, in turn. */
const histogram = (name: string, from: string, record: () => Promise<void>): Contender => ({
  ...{ name, from },
  setup: async () => {
    await record();
    const { metrics } = await import('@opentelemetry/api');
    const durations = metrics.getMeter('bench').createHistogram('http.server.request.duration', { unit: 's' });
    const routes = Array.from({ length: 8 }, (_, i) => `/orders/${i}/{id}`);
    let turn = 0;
    const run = (): void => {
      durations.record(0.012, {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'http.route': routes[turn++ & 7] as string,
        'network.protocol.version': '1.1',
        'url.scheme': 'https',
      });
    };
    return { run };
  },
});

export const suite: Suite = {
  name: 'telemetry',
  what: 'The cost of a log line, a span and a histogram. Macadam redacts by name and by pattern and limits the size of every line; pino redacts only the paths that it is given.',
  cases: [
    {
      name: 'plain line',
      what: 'A message without fields.',
      contenders: [macadamLog('macadam', plain), pinoLog('pino', plain), ...others({}, 'hello world')],
      claims: [{ of: 'macadam', to: 'pino', atMost: 1 }],
    },
    {
      name: 'five fields',
      what: 'Macadam with its default redaction, pino without redaction.',
      contenders: [
        macadamLog('macadam', withFive),
        pinoLog('pino, no redaction', withFive),
        ...others(five, 'order placed'),
      ],
      claims: [{ of: 'macadam', to: 'pino, no redaction', atMost: 1.25 }],
    },
    {
      name: 'nested object',
      what: 'Twenty fields on three levels. pino redacts three paths; Macadam checks every field name and every string.',
      contenders: [
        macadamLog('macadam', withTwenty),
        pinoLog('pino, three paths', withTwenty, ['user.password', 'headers.authorization', 'payment.card.token']),
        pinoLog('pino, no redaction', withTwenty),
      ],
      claims: [{ of: 'macadam', to: 'pino, three paths', atMost: 1.25 }],
    },
    {
      name: 'disabled level',
      what: 'A debug line of a logger whose level is info.',
      contenders: [
        { name: 'empty function', setup: async () => ({ run: () => {} }) },
        macadamLog('macadam', (log) => log.debug('x')),
        pinoLog('pino', (log) => log.debug('x')),
      ],
      claims: [{ of: 'macadam', to: 'empty function', atMost: 2 }],
    },
    {
      name: 'child logger and a line',
      what: 'A child logger for one request, and one line written by it.',
      contenders: [
        macadam('macadam', ({ createLogger }) => {
          const log = createLogger({ destination: nowhere });
          return () => log.child({ requestId: 'r-1', tenant: 't1' }).info('done');
        }),
        {
          name: 'pino',
          from: 'pino',
          setup: async () => {
            const log = (await import('pino')).pino({}, nowhere);
            return { run: () => log.child({ requestId: 'r-1', tenant: 't1' }).info('done') };
          },
        },
      ],
    },
    {
      name: 'canonical line',
      what: 'A line of 30 fields, written directly and by a unit of work that annotates them, compared with one pino line of five fields.',
      contenders: [
        macadamLog('macadam, 30 fields', (log) => log.info(thirty, 'orders.place')),
        macadam('macadam withCanonicalLine', ({ createLogger, withCanonicalLine }) => {
          const log = createLogger({ destination: nowhere });
          const options = { name: 'orders.place', attributes: thirty };
          return () => withCanonicalLine(log, options, () => 1);
        }),
        pinoLog('pino, five fields', withFive),
      ],
      claims: [
        { of: 'macadam, 30 fields', to: 'pino, five fields', atMost: 4 },
        { of: 'macadam withCanonicalLine', to: 'pino, five fields', atMost: 4 },
      ],
    },
    {
      name: 'span without an SDK',
      what: 'A span around a synchronous function while no OpenTelemetry SDK is registered.',
      contenders: [
        macadam(
          'macadam withSpan',
          ({ withSpan }) =>
            () =>
              withSpan('orders.place', () => 1),
        ),
        {
          name: 'startActiveSpan of the no-op tracer',
          from: '@opentelemetry/api',
          setup: async () => {
            const { trace } = await import('@opentelemetry/api');
            const tracer = trace.getTracer('bench');
            return {
              run: () =>
                tracer.startActiveSpan('orders.place', (span) => {
                  span.end();
                  return 1;
                }),
            };
          },
        },
      ],
      claims: [{ of: 'macadam withSpan', to: 'startActiveSpan of the no-op tracer', atMost: 1.5 }],
    },
    {
      name: 'histogram',
      what: 'A duration with five attributes, recorded for eight routes in turn, with the SDK set up by `startTelemetry` and by hand.',
      contenders: [
        histogram('macadam startTelemetry', '@macadam/telemetry', recordingByTelemetry),
        histogram('OpenTelemetry SDK', '@opentelemetry/sdk-metrics', recording),
      ],
      claims: [{ of: 'macadam startTelemetry', to: 'OpenTelemetry SDK', atMost: 0.35 }],
    },
  ],
};
