import { type Environment, textFrom } from './environment.ts';

/** What sets up an SDK. Others, such as those of an operator or of an instrumentation, begin in other ways. */
const OF_AN_SDK =
  /^OTEL_(?:(?:SDK|EXPORTER|BSP|BLRP|METRICS?|TRACES?|LOGS?|LOGRECORD|SPAN|EVENT|LINK|ATTRIBUTE|SERVICE|CONFIG|EXPERIMENTAL_CONFIG)_|(?:RESOURCE_ATTRIBUTES?|PROPAGATORS?|ENTITIES)$)/;

const SIGNALS = '(?:TRACES|METRICS|LOGS)';
/** Each of these is read in this folder. */
const READ = new RegExp(
  `^OTEL_(?:${[
    'SDK_DISABLED|SERVICE_NAME|RESOURCE_ATTRIBUTES|PROPAGATORS|TRACES_SAMPLER(?:_ARG)?',
    `${SIGNALS}_EXPORTER`,
    `EXPORTER_OTLP_(?:${SIGNALS}_)?(?:ENDPOINT|PROTOCOL|HEADERS|TIMEOUT|COMPRESSION|CERTIFICATE|CLIENT_CERTIFICATE|CLIENT_KEY)`,
    'EXPORTER_OTLP_METRICS_(?:TEMPORALITY_PREFERENCE|DEFAULT_HISTOGRAM_AGGREGATION)',
    'B(?:S|LR)P_(?:SCHEDULE_DELAY|EXPORT_TIMEOUT|MAX_QUEUE_SIZE|MAX_EXPORT_BATCH_SIZE)',
    '(?:SPAN_|LOGRECORD_)?ATTRIBUTE_(?:VALUE_LENGTH|COUNT)_LIMIT',
    '(?:SPAN_EVENT|SPAN_LINK|EVENT_ATTRIBUTE|LINK_ATTRIBUTE)_COUNT_LIMIT',
    'METRIC_EXPORT_(?:INTERVAL|TIMEOUT)',
  ].join('|')})$`,
);

/** Variables that are set, were meant for an SDK, and are not read: of another exporter, not built in, or not spelt right. */
export function unreadVariables(env: Environment): string[] {
  const unread = (name: string): boolean =>
    OF_AN_SDK.test(name) && !READ.test(name) && textFrom(env, name) !== undefined;
  return Object.keys(env).filter(unread).sort();
}
