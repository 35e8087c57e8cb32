import type { Attributes, AttributeValue } from '@opentelemetry/api';
import { isError } from './is-error.ts';
import { isCardValue } from './redact/card-number.ts';
import { KeyRules } from './redact/key-rules.ts';
import { TextRules } from './redact/text-rules.ts';
import { CENSOR, isPii, isSecret } from './sensitive.ts';

const MAX_ATTRIBUTES = 64;
const MAX_ITEMS = 32;
const MAX_TEXT_LENGTH = 1_024;
const MAX_DEPTH = 3;

const keyRules = new KeyRules();
const textRules = new TextRules(keyRules);

/** Redacts credentials in a text for a span, and cuts it to `maxLength` characters. */
export function cleanText(text: string, maxLength: number = MAX_TEXT_LENGTH): string {
  const { kept, left } = textRules.redactAndCut(text, maxLength);
  return left === 0 ? kept : `${kept}[…]`;
}

/**
 * Converts fields to attributes of a span: redacted like a log line, nested objects flattened to `a.b`, at most 64
 * attributes, 1,024 characters per string and 32 items per array. Values without a form as an attribute (functions,
 * undefined, null) are left out.
 *
 * @example
 * ```ts
 * import { spanAttributes } from '@macadam/telemetry';
 *
 * const attributes = spanAttributes({ order: { id: 17, token: 'abc' } });
 * if (attributes['order.token'] !== '[redacted]' || attributes['order.id'] !== 17) throw new Error('unexpected');
 * ```
 */
export function spanAttributes(fields: Readonly<Record<string, unknown>>): Attributes {
  const attributes: Attributes = {};
  flatten(fields, '', 0, attributes, { left: MAX_ATTRIBUTES });
  return attributes;
}

function flatten(source: object, prefix: string, depth: number, target: Attributes, budget: { left: number }): void {
  let names: string[] = [];
  try {
    names = Object.keys(source);
  } catch {
    // A Proxy whose names cannot be read has no attributes.
  }
  for (const name of names) {
    if (budget.left <= 0) return;
    const path = cleanText(prefix + name, 128);
    try {
      if (keyRules.isSensitive(name) || (keyRules.mayBeSensitive(name) && keyRules.isSensitiveIn(source, name)))
        setAttribute(target, path, CENSOR, budget);
      else writeValue((source as Record<string, unknown>)[name], path, depth, target, budget);
    } catch {
      setAttribute(target, path, '[threw]', budget);
    }
  }
}

function writeValue(value: unknown, path: string, depth: number, target: Attributes, budget: { left: number }): void {
  if (typeof value !== 'object' || value === null) setAttribute(target, path, primitiveAttribute(value), budget);
  else if (isSecret(value)) setAttribute(target, path, CENSOR, budget);
  else if (isPii(value)) setAttribute(target, path, '[pii]', budget);
  else if (Array.isArray(value)) setAttribute(target, path, arrayAttribute(value), budget);
  else if (isError(value)) setAttribute(target, path, cleanText(`${value.name}: ${value.message}`), budget);
  else if (value instanceof Date || value instanceof URL)
    setAttribute(target, path, cleanText(String(value.toJSON())), budget);
  else if (depth < MAX_DEPTH) flatten(value, `${path}.`, depth + 1, target, budget);
}

function setAttribute(
  target: Attributes,
  path: string,
  value: AttributeValue | undefined,
  budget: { left: number },
): void {
  if (value === undefined) return;
  target[path] = value;
  budget.left--;
}

function primitiveAttribute(value: unknown): string | number | boolean | undefined {
  switch (typeof value) {
    case 'string':
      return cleanText(value);
    case 'number':
      if (!Number.isFinite(value)) return undefined;
      return isCardValue(value) ? CENSOR : value;
    case 'boolean':
      return value;
    case 'bigint':
      return cleanText(String(value));
    default:
      return undefined;
  }
}

/** OpenTelemetry allows only arrays whose items have the same type: mixed ones become arrays of strings. */
function arrayAttribute(items: readonly unknown[]): AttributeValue {
  let nextIsSecret = false;
  const converted = items.slice(0, MAX_ITEMS).map((item, i) => {
    const isText = typeof item === 'string';
    const isSecretText = nextIsSecret && isText;
    nextIsSecret = isText && keyRules.isNameOfNext(item, i);
    if (isSecretText) return CENSOR;
    if (typeof item !== 'object' || item === null) return primitiveAttribute(item);
    return isSecret(item) ? CENSOR : isPii(item) ? '[pii]' : undefined;
  });
  const values = converted.filter((item) => item !== undefined);
  if (values.every((item) => typeof item === 'number')) return values;
  return values.every((item) => typeof item === 'boolean') ? values : values.map(String);
}
