import { type Baggage, type BaggageEntry, propagation } from '@opentelemetry/api';

// W3C Baggage, https://www.w3.org/TR/baggage/. The limits are those that it asks every platform to support.
const MAX_MEMBERS = 64;
const MAX_BYTES = 8_192;
const KEY = /^[!#$%&'*+.^_`|~\w-]{1,256}$/;
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/** Returns the valid members of a `baggage` header; undefined if there are none or the header is too long. */
export function parseBaggage(text: string): Baggage | undefined {
  if (text.length > MAX_BYTES) return undefined;
  const entries: Record<string, BaggageEntry> = Object.create(null) as Record<string, BaggageEntry>;
  let count = 0;
  for (const member of text.split(',', MAX_MEMBERS)) {
    const [pair = ''] = member.split(';', 1);
    const equals = pair.indexOf('=');
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    const value = pair.slice(equals + 1).trim();
    if (equals < 1 || !KEY.test(key) || !VALUE.test(value)) continue;
    entries[key] = { value: decode(value) };
    count++;
  }
  return count === 0 ? undefined : propagation.createBaggage(entries);
}

/** Returns the value of a `baggage` header with as many members as fit; empty if there are none. */
export function formatBaggage(baggage: Baggage): string {
  let text = '';
  for (const [key, { value }] of baggage.getAllEntries().slice(0, MAX_MEMBERS)) {
    if (!KEY.test(key)) continue;
    const member = `${text === '' ? '' : ','}${key}=${encode(value)}`;
    if (text.length + member.length > MAX_BYTES) break;
    text += member;
  }
  return text;
}

function encode(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    // `encodeURIComponent` throws for half of a surrogate pair.
    return '';
  }
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
