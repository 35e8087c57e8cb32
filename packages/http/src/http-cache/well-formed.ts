import { isUint8Array } from 'node:util/types';
import type { StoredResponse } from './stored-response.ts';

/**
 * Whether what came out of a store can be what was put into it. Another version of this package may have written it, or the
 * store may have made something else of it: of bytes that went through JSON there is no body left.
 */
export function isWellFormed(value: unknown): value is StoredResponse {
  if (!isObject(value)) return false;
  const { status, headers, body, requestedAtMs, receivedAtMs, selecting, authorization, cookie, outdated, part } =
    value;
  return (
    isCount(status, 200) &&
    isObject(headers) &&
    Object.values(headers).every(isFieldValue) &&
    isUint8Array(body) &&
    Number.isFinite(requestedAtMs) &&
    Number.isFinite(receivedAtMs) &&
    isObject(selecting) &&
    Object.values(selecting).every((one) => one === null || typeof one === 'string') &&
    typeof authorization === 'string' &&
    typeof cookie === 'string' &&
    typeof outdated === 'boolean' &&
    (part === undefined || isPartOf(part, body.length))
  );
}

function isPartOf(part: unknown, length: number): boolean {
  if (!isObject(part)) return false;
  const { first, last, size } = part;
  return (
    isCount(first, 0) && isCount(last, first) && last - first + 1 === length && (size === null || isCount(size, last))
  );
}

function isFieldValue(value: unknown): boolean {
  return typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string'));
}

function isCount(value: unknown, min: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= min;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
