// What a fetch failed with, without what was sent. Clients of HTTP hang the request on their errors, credentials in its
// headers included, and whoever prints ours would print those, too.
import { isMacadamError } from '@macadam/core';

/** Errors hold errors; further down nothing is told. */
const DEEPEST = 5;
/** Shorter texts are no secrets, and to blot them out would blot out words. */
const SHORTEST_SECRET = 8;
const SECRET_PARAMETERS = [
  'client_secret',
  'client_assertion',
  'assertion',
  'subject_token',
  'actor_token',
  'refresh_token',
  'token',
];

/** The credentials in a request for a token. */
export function secretsIn(headers: Readonly<Record<string, string>>, body: URLSearchParams): readonly string[] {
  const authorization = headers['authorization'] ?? '';
  const credentials = authorization.slice(authorization.indexOf(' ') + 1);
  const password = Buffer.from(credentials, 'base64').toString().split(':').slice(1).join(':');
  const named = SECRET_PARAMETERS.flatMap((name) => body.getAll(name));
  return [credentials, password, decoded(password), ...named].filter(({ length }) => length >= SHORTEST_SECRET);
}

/** The credentials that headers hold, with the name of their scheme and without. */
export function secretsInHeaders(headers: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.values(headers)
    .flatMap((value) => (typeof value === 'string' ? [value, value.slice(value.indexOf(' ') + 1)] : []))
    .filter(({ length }) => length >= SHORTEST_SECRET);
}

/** Name, message, code and causes; an error of ours, which holds no credential, is told as it is. */
export function safeCause(error: unknown, secrets: readonly string[], depth = 0): unknown {
  if (isMacadamError(error)) return error;
  if (!(error instanceof Error)) return typeof error === 'string' ? without(error, secrets) : undefined;
  const { name, message, cause } = error;
  const { code } = error as NodeJS.ErrnoException;
  const told = new Error(without(String(message), secrets));
  Object.defineProperty(told, 'name', { value: name, configurable: true, writable: true });
  told.stack = `${name}: ${told.message}`;
  if (typeof code === 'string') Object.assign(told, { code });
  const below = cause === undefined || depth === DEEPEST ? undefined : safeCause(cause, secrets, depth + 1);
  if (below !== undefined) Object.defineProperty(told, 'cause', { value: below, configurable: true, writable: true });
  return told;
}

function without(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
}

/** Basic credentials are form-encoded first (RFC 6749 section 2.3.1). */
function decoded(text: string): string {
  return new URLSearchParams(`a=${text}`).get('a') ?? '';
}
