import { type Environment, textFrom } from './environment.ts';

/** Variables for an SDK. Those of operators and instrumentations have other prefixes. */
const SDK_VARIABLE =
  /^OTEL_(?:(?:SDK|EXPORTER|BSP|BLRP|METRICS?|TRACES?|LOGS?|LOGRECORD|SPAN|EVENT|LINK|ATTRIBUTE|SERVICE|CONFIG|EXPERIMENTAL_CONFIG)_|(?:RESOURCE_ATTRIBUTES?|PROPAGATORS?|ENTITIES)$)/;

const SIGNALS = '(?:TRACES|METRICS|LOGS)';
/** The variables that are read in this folder. */
const SUPPORTED = new RegExp(
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

/** Variables for an SDK that are set but not supported: of another exporter or feature, or misspelt. */
export function unreadVariables(env: Environment): string[] {
  const unread = (name: string): boolean =>
    SDK_VARIABLE.test(name) && !SUPPORTED.test(name) && textFrom(env, name) !== undefined;
  return Object.keys(env).filter(unread).sort();
}
