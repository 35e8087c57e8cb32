// The parts of a span beside its attributes, in the form in which the SDK exports them.
import {
  type Attributes,
  diag,
  type Exception,
  type HrTime,
  type Link,
  type SpanStatus,
  SpanStatusCode,
} from '@opentelemetry/api';
import type { SpanLimits } from './sdk-settings.ts';
import { cleanAttributes, isSimpleValue } from './span-attributes.ts';
import type { TimedEvent } from './traces-sdk.ts';

export function cleanEvent(
  name: string,
  time: HrTime,
  attributes: Attributes | undefined,
  { attributePerEventCountLimit: attributeCountLimit, attributeValueLengthLimit }: SpanLimits,
): TimedEvent {
  const limits = { attributeCountLimit, attributeValueLengthLimit };
  return { name, time, ...cleanAttributes(attributes, limits, isSimpleValue) };
}

export function cleanLink(
  { context, attributes }: Link,
  { attributePerLinkCountLimit: attributeCountLimit, attributeValueLengthLimit }: SpanLimits,
): Link {
  return { context, ...cleanAttributes(attributes, { attributeCountLimit, attributeValueLengthLimit }) };
}

/** Only an error has a message. */
export function cleanStatus({ code, message }: SpanStatus): SpanStatus {
  if (code !== SpanStatusCode.ERROR || message === undefined || message === null) return { code };
  if (typeof message === 'string') return { code, message };
  diag.warn(`The message of a span's status was dropped: it is of the type ${typeof message}, not a string.`);
  return { code };
}

/** Undefined for an exception of which neither the type nor the message is known. */
export function exceptionAttributes(exception: Exception): Attributes | undefined {
  if (typeof exception === 'string') return exception === '' ? undefined : { 'exception.message': exception };
  const { code, name, message, stack } = exception ?? {};
  const type = code ? code.toString() : name;
  if (!type && !message) return undefined;
  return {
    ...(type && { 'exception.type': type }),
    ...(message && { 'exception.message': message }),
    ...(stack && { 'exception.stacktrace': stack }),
  };
}
