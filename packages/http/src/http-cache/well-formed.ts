import { isUint8Array } from 'node:util/types';
import type { StoredResponse } from './stored-response.ts';

/**
 * Whether a value that a store returned is a stored response. Another version of this package may have written it, or the
 * store may have serialized it wrongly: JSON turns the bytes of a body into an object.
 */
export function isWellFormed(value: unknown): value is StoredResponse {
  if (!isObject(value)) return false;
  const { status, headers, body, requestedAtMs, receivedAtMs, selecting, authorization, cookie, outdated, part } =
    value;
  return (
    isIntegerFrom(status, 200) &&
    isObject(headers) &&
    Object.values(headers).every(isFieldValue) &&
    isUint8Array(body) &&
    Number.isFinite(requestedAtMs) &&
    Number.isFinite(receivedAtMs) &&
    isObject(selecting) &&
    Object.values(selecting).every((field) => field === null || typeof field === 'string') &&
    typeof authorization === 'string' &&
    typeof cookie === 'string' &&
    typeof outdated === 'boolean' &&
    (part === undefined || isPartOfLength(part, body.length))
  );
}

function isPartOfLength(part: unknown, length: number): boolean {
  if (!isObject(part)) return false;
  const { first, last, size } = part;
  return (
    isIntegerFrom(first, 0) &&
    isIntegerFrom(last, first) &&
    last - first + 1 === length &&
    (size === null || isIntegerFrom(size, last))
  );
}

function isFieldValue(value: unknown): boolean {
  return typeof value === 'string' || (Array.isArray(value) && value.every((line) => typeof line === 'string'));
}

function isIntegerFrom(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
