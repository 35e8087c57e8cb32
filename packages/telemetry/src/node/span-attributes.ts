// Which attributes a span, an event or a link takes, and the copies of them that are exported: the rules of the SDK.
import { type AnyValue, type Attributes, diag } from '@opentelemetry/api';
import type { AttributeLimits } from './sdk-settings.ts';

/** In the form in which events and links carry them; both are missing if no attributes were given. */
export interface CleanAttributes {
  attributes?: Attributes;
  droppedAttributesCount?: number;
}

/** Copies attributes that need no change, which is nearly always so. Returns undefined if one of them does. */
export function copyUnchanged(attributes: Attributes | undefined, limits: AttributeLimits): Attributes | undefined {
  if (typeof attributes !== 'object') return attributes === undefined ? {} : undefined;
  const copy = { ...attributes };
  const { attributeValueLengthLimit: maxLength } = limits;
  let count = 0;
  // The copy is checked, not the original: a getter can return something else the second time.
  for (const key in copy) {
    const value = copy[key];
    if (typeof value === 'string') {
      if (value.length > maxLength) return undefined;
    } else if (typeof value !== 'number' && typeof value !== 'boolean') return undefined;
    if (key === '') return undefined;
    count++;
  }
  return count <= limits.attributeCountLimit ? copy : undefined;
}

/** Copies the attributes that are valid, within the limits, and counts the others. Undefined values do not count. */
export function cleanAttributes(
  attributes: Attributes | undefined,
  { attributeCountLimit, attributeValueLengthLimit }: AttributeLimits,
  isValid: (value: unknown) => boolean = isAnyValue,
): CleanAttributes {
  if (typeof attributes !== 'object' || attributes === null) return {};
  const taken: Attributes = {};
  let count = 0;
  let droppedAttributesCount = 0;
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined) continue;
    if (count < attributeCountLimit && isAttributeName(key) && isAttributeValue(key, value, isValid)) {
      taken[key] = copyWithin(value, attributeValueLengthLimit);
      count++;
    } else droppedAttributesCount++;
  }
  return { attributes: taken, droppedAttributesCount };
}

/** Warns if it is none. */
export function isAttributeName(key: string): boolean {
  if (key.length !== 0) return true;
  diag.warn('An attribute without a name was dropped.');
  return false;
}

/** Warns if it is none. */
export function isAttributeValue(
  key: string,
  value: unknown,
  isValid: (value: unknown) => boolean = isAnyValue,
): boolean {
  if (isValid(value)) return true;
  diag.warn(`The attribute ${key} was dropped: its value is of a type that OpenTelemetry does not have.`);
  return false;
}

/** Whether OpenTelemetry can represent the value: scalars, bytes, null, and arrays and plain objects of these. */
export function isAnyValue(value: unknown): boolean {
  return isScalar(value) || isAnyValueBelow(value, []);
}

/** Whether the value is one that events take: a scalar, or an array of scalars of one type with gaps. */
export function isSimpleValue(value: unknown): boolean {
  if (!Array.isArray(value)) return isScalar(value);
  const elements = value.filter((element) => element !== undefined && element !== null);
  return elements.every((element) => isScalar(element) && typeof element === typeof elements[0]);
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** @param above - the objects that the value is in; one that contains itself has no representation */
function isAnyValueBelow(value: unknown, above: readonly object[]): boolean {
  if (isScalar(value) || value === null || value instanceof Uint8Array) return true;
  if (typeof value !== 'object' || above.includes(value)) return false;
  const isPlain = value.constructor === Object || value.constructor === undefined;
  if (!isPlain && !Array.isArray(value)) return false;
  const within = [...above, value];
  const values: unknown[] = Array.isArray(value) ? value : Object.values(value);
  return values.every((one) => one === undefined || isAnyValueBelow(one, within));
}

/** A valid value with its texts and bytes cut, which the caller cannot change afterwards. */
export function copyWithin(value: AnyValue, maxLength: number): AnyValue {
  if (typeof value === 'string') return value.length > maxLength ? value.slice(0, maxLength) : value;
  if (typeof value !== 'object' || value === null) return value;
  // Not the method of a Buffer, which shares the memory.
  if (value instanceof Uint8Array) return Uint8Array.prototype.slice.call(value, 0, maxLength);
  if (Array.isArray(value)) return value.map((element) => copyWithin(element, maxLength));
  const copy: Record<string, AnyValue> = {};
  for (const [key, one] of Object.entries(value)) if (one !== undefined) copy[key] = copyWithin(one, maxLength);
  return copy;
}
