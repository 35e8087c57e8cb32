import { parseHttpDate } from '@macadam/core';
import type { HttpResponse } from '../response.ts';

/** Response headers by lower-case name. Repeated ones are joined with a comma, except `set-cookie`. */
export type StoredFields = Record<string, string | string[]>;

/** The header fields of a response, in the form in which they are stored. */
export function responseFields({ headers }: HttpResponse): StoredFields {
  const fields: StoredFields = {};
  for (const [name, value] of headers) fields[name] = name === 'set-cookie' ? headers.getSetCookie() : value;
  return fields;
}

/** The value of a request header, repeated ones joined; undefined when it is not sent. */
export function requestField(headers: readonly string[], name: string): string | undefined {
  let value: string | undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name) value = value === undefined ? headers[i + 1] : `${value}, ${headers[i + 1]}`;
  }
  return value;
}

/** The value of a response header, repeated ones joined; undefined when it is absent. */
export function responseField(fields: Readonly<StoredFields>, name: string): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === 'object' ? value.join(', ') : value;
}

/** The members of a comma-separated list, trimmed, without empty ones. Commas within quotes do not separate. */
export function listMembers(text: string): string[] {
  const members: string[] = [];
  let start = 0;
  let quoted = false;
  for (let i = 0; i <= text.length; i++) {
    const char = text[i];
    if (char === '\\' && quoted) i++;
    else if (char === '"') quoted = !quoted;
    else if (char === undefined || (char === ',' && !quoted)) {
      const member = text.slice(start, i).trim();
      if (member !== '') members.push(member);
      start = i + 1;
    }
  }
  // The member of a quote that is never closed extends to the end.
  if (quoted && start < text.length) members.push(text.slice(start).trim());
  return members;
}

/** Parses delta-seconds (RFC 9111, section 1.2.2): undefined when the syntax is wrong, 2^31 for larger values. */
export function deltaSeconds(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  return Math.min(Number(text), 2_147_483_648);
}

/** Parses an HTTP date, in any letter case (RFC 9111, section 4.2), to epoch milliseconds. */
export function parseDate(text: string | undefined, now: number): number | undefined {
  const normalized = text?.replace(/[A-Za-z]+/g, (word) =>
    /^gmt$/i.test(word) ? 'GMT' : word[0]?.toUpperCase() + word.slice(1).toLowerCase(),
  );
  return parseHttpDate(normalized, now);
}
