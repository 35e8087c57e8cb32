// Copies the error of a failed fetch without the credentials that were sent. HTTP clients attach the request to their
// errors, including its headers; whoever logs our error with its cause would log the credentials, too.
import { isMacadamError } from '@macadam/core';

/** Causes that are nested deeper are left out. */
const MAX_DEPTH = 5;
/** Shorter texts are not secrets; replacing them would destroy ordinary words of the message. */
const MIN_SECRET_LENGTH = 8;
const SECRET_PARAMETERS = [
  'client_secret',
  'client_assertion',
  'assertion',
  'subject_token',
  'actor_token',
  'refresh_token',
  'token',
];

/** The credentials in a token request: in its URL, its `Authorization` header and its body, as they are and encoded. */
export function requestSecrets(
  url: URL,
  headers: Readonly<Record<string, string>>,
  body: URLSearchParams,
): readonly string[] {
  const authorization = headers['authorization'] ?? '';
  const credentials = authorization.slice(authorization.indexOf(' ') + 1);
  const password = Buffer.from(credentials, 'base64').toString().split(':').slice(1).join(':');
  const values = [formDecode(password), ...SECRET_PARAMETERS.flatMap((name) => body.getAll(name))];
  return secretTexts([credentials, password, ...values.flatMap(encodingsOf), ...querySecrets(url)]);
}

/** The query of a URL and its values, which may be credentials, as they are and encoded. */
export function querySecrets({ search, searchParams }: URL): readonly string[] {
  const asSent = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  return secretTexts([search.slice(1), ...asSent, ...[...searchParams.values()].flatMap(encodingsOf)]);
}

/** The values of header fields, with and without the name of an authentication scheme. */
export function headerSecrets(headers: Readonly<Record<string, unknown>>): readonly string[] {
  return secretTexts(
    Object.values(headers).flatMap((value) =>
      typeof value === 'string' ? [value, value.slice(value.indexOf(' ') + 1)] : [],
    ),
  );
}

/** The longest first: what is left of a secret when a part of it was replaced could not be found any more. */
function secretTexts(texts: readonly string[]): readonly string[] {
  return texts.filter(({ length }) => length >= MIN_SECRET_LENGTH).sort((a, b) => b.length - a.length);
}

/** Clients quote the body as it was sent, and URL libraries encode a text in a way of their own. */
function encodingsOf(text: string): readonly string[] {
  return [text, formEncode(text), encodeURIComponent(text)];
}

/** A copy with name, message, code and causes. An error of this library contains no credential and is returned as it is. */
export function redactedCause(error: unknown, secrets: readonly string[], depth = 0): unknown {
  if (isMacadamError(error)) return error;
  if (!(error instanceof Error)) return typeof error === 'string' ? redact(error, secrets) : undefined;
  const { name, message, cause } = error;
  const { code } = error as NodeJS.ErrnoException;
  const copy = new Error(redact(String(message), secrets));
  Object.defineProperty(copy, 'name', { value: name, configurable: true, writable: true });
  copy.stack = `${name}: ${copy.message}`;
  if (typeof code === 'string') Object.assign(copy, { code });
  const copiedCause = cause === undefined || depth === MAX_DEPTH ? undefined : redactedCause(cause, secrets, depth + 1);
  if (copiedCause !== undefined)
    Object.defineProperty(copy, 'cause', { value: copiedCause, configurable: true, writable: true });
  return copy;
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text);
}

function formEncode(text: string): string {
  return new URLSearchParams({ a: text }).toString().slice(2);
}

/** The password of Basic credentials is form-encoded (RFC 6749 section 2.3.1). */
function formDecode(text: string): string {
  return new URLSearchParams(`a=${text}`).get('a') ?? '';
}
