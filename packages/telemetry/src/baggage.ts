import { type Baggage, type BaggageEntry, propagation } from '@opentelemetry/api';

// W3C Baggage, https://www.w3.org/TR/baggage/. Its own limits: 64 members, 8,192 bytes.
const MOST_MEMBERS = 64;
const MOST_BYTES = 8_192;
const KEY = /^[!#$%&'*+.^_`|~\w-]{1,256}$/;
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;

/** The members of a `baggage` header that are valid. Undefined when there are none or the header is too long. */
export function parseBaggage(text: string): Baggage | undefined {
  if (text.length > MOST_BYTES) return undefined;
  const entries: Record<string, BaggageEntry> = Object.create(null) as Record<string, BaggageEntry>;
  let count = 0;
  for (const member of text.split(',', MOST_MEMBERS)) {
    const [pair = ''] = member.split(';', 1);
    const at = pair.indexOf('=');
    const key = pair.slice(0, Math.max(at, 0)).trim();
    const value = pair.slice(at + 1).trim();
    if (at < 1 || !KEY.test(key) || !VALUE.test(value)) continue;
    entries[key] = { value: decoded(value) };
    count++;
  }
  return count === 0 ? undefined : propagation.createBaggage(entries);
}

/** The value of `baggage`, cut after the last member that fits; empty when there is none. */
export function formatBaggage(baggage: Baggage): string {
  let text = '';
  for (const [key, { value }] of baggage.getAllEntries().slice(0, MOST_MEMBERS)) {
    if (!KEY.test(key)) continue;
    const member = `${text === '' ? '' : ','}${key}=${encoded(value)}`;
    if (text.length + member.length > MOST_BYTES) break;
    text += member;
  }
  return text;
}

function encoded(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    // Half of a surrogate pair.
    return '';
  }
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
