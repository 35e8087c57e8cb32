import type { Attributes, AttributeValue } from '@opentelemetry/api';
import { KeyRules } from './redact/key-rules.ts';
import { TextRules } from './redact/text-rules.ts';
import { CENSOR, isPii, isSecret } from './sensitive.ts';

const MOST_ATTRIBUTES = 64;
const MOST_ITEMS = 32;
const LONGEST_TEXT = 1_024;
const DEEPEST = 3;

const keys = new KeyRules();
const texts = new TextRules(keys);

/** Text for a span: without credentials, 1,024 characters at most. */
export function cleanText(text: string, longest: number = LONGEST_TEXT): string {
  return texts.redact(text.length > longest ? `${text.slice(0, longest)}[…]` : text);
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
  flatten(fields, '', 0, attributes, { left: MOST_ATTRIBUTES });
  return attributes;
}

function flatten(source: object, prefix: string, depth: number, into: Attributes, budget: { left: number }): void {
  let names: string[] = [];
  try {
    names = Object.keys(source);
  } catch {
    // A Proxy that does not let its names be read has none.
  }
  for (const name of names) {
    if (budget.left <= 0) return;
    const path = cleanText(prefix + name, 128);
    try {
      if (keys.isSensitive(name) || (keys.mayBeSensitive(name) && keys.isSensitiveIn(source, name)))
        set(into, path, CENSOR, budget);
      else one((source as Record<string, unknown>)[name], path, depth, into, budget);
    } catch {
      set(into, path, '[threw]', budget);
    }
  }
}

function one(value: unknown, path: string, depth: number, into: Attributes, budget: { left: number }): void {
  if (typeof value !== 'object' || value === null) set(into, path, primitive(value), budget);
  else if (isSecret(value)) set(into, path, CENSOR, budget);
  else if (isPii(value)) set(into, path, '[pii]', budget);
  else if (Array.isArray(value)) set(into, path, list(value), budget);
  else if (value instanceof Error) set(into, path, cleanText(`${value.name}: ${value.message}`), budget);
  else if (value instanceof Date || value instanceof URL) set(into, path, cleanText(String(value.toJSON())), budget);
  else if (depth < DEEPEST) flatten(value, `${path}.`, depth + 1, into, budget);
}

function set(into: Attributes, path: string, value: AttributeValue | undefined, budget: { left: number }): void {
  if (value === undefined) return;
  into[path] = value;
  budget.left--;
}

function primitive(value: unknown): string | number | boolean | undefined {
  switch (typeof value) {
    case 'string':
      return cleanText(value);
    case 'number':
      return Number.isFinite(value) ? value : undefined;
    case 'boolean':
      return value;
    case 'bigint':
      return String(value);
    default:
      return undefined;
  }
}

/** Lists of one type only, as OpenTelemetry has it: mixed ones become texts. */
function list(items: readonly unknown[]): AttributeValue {
  const kept = items.slice(0, MOST_ITEMS).map((item) => {
    if (typeof item !== 'object' || item === null) return primitive(item);
    return isSecret(item) ? CENSOR : isPii(item) ? '[pii]' : undefined;
  });
  const known = kept.filter((item) => item !== undefined);
  if (known.every((item) => typeof item === 'number')) return known;
  return known.every((item) => typeof item === 'boolean') ? known : known.map(String);
}
