import { CacheControl } from './cache-control.ts';
import type { PresentedRequest } from './credentials.ts';
import { listMembers, responseField, type StoredFields } from './fields.ts';
import type { StoredPart } from './ranges.ts';
import { selectingFields, varyFields, type SelectingFields } from './vary.ts';

/** Who may be given stored responses: `private`, one user; `shared`, everybody (RFC 9111, section 1). */
export type CacheMode = 'private' | 'shared';

/** A response in an `HttpCacheStore`. Plain data that can be serialized; `body` is the only value that JSON cannot hold. */
export interface StoredResponse {
  /** The status of the response. */
  readonly status: number;
  /** The response headers that may be stored (RFC 9111, section 3.1). */
  readonly headers: Readonly<StoredFields>;
  /** The body, with content encodings decoded. */
  readonly body: Uint8Array;
  /** When the request was sent, in epoch milliseconds. */
  readonly requestedAtMs: number;
  /** When the response was received, in epoch milliseconds. */
  readonly receivedAtMs: number;
  /** The request headers named by `Vary` (RFC 9111, section 4.1). */
  readonly selecting: SelectingFields;
  /** A digest of the credentials of the request: `Authorization`, or all headers added by `auth`; empty if there were none. */
  readonly authorization: string;
  /** A digest of the `Cookie` header of the request; empty if there was none. */
  readonly cookie: string;
  /** Whether it was invalidated, and must be validated with the server before it is used again. */
  readonly outdated: boolean;
  /** The range of bytes it contains, for a partial response (206); absent for a complete one. */
  readonly part?: StoredPart;
}

/** When a request was sent and when its response was received, in epoch milliseconds. */
export type ExchangeTimes = Pick<StoredResponse, 'receivedAtMs' | 'requestedAtMs'>;

/** Fields about one connection or one proxy, which are not stored (RFC 9111, section 3.1). */
const NOT_STORED: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  // Describes how a cache handled one request; this cache adds its own.
  'cache-status',
]);

/**
 * Fields that a 304 or a response to HEAD does not update, because they describe the bytes of the stored body: their length,
 * digests and encoding (RFC 9111, section 3.2, "to ensure integrity of the stored response"). All other fields are updated,
 * `Content-Type` included.
 */
const NOT_UPDATED: ReadonlySet<string> = new Set([
  'content-digest',
  'content-encoding',
  'content-length',
  'content-md5',
  'content-range',
  'digest',
  'repr-digest',
]);

/** The fields of a response that may be stored: without those that a qualified `no-cache` or `private` names. */
export function storableFields(
  fields: Readonly<StoredFields>,
  control: CacheControl,
  mode: CacheMode,
  receivedAtMs: number,
): StoredFields {
  const omitted = new Set(listMembers(responseField(fields, 'connection') ?? '').map((name) => name.toLowerCase()));
  for (const name of qualifiedFields(control, mode)) omitted.add(name);
  const storable: StoredFields = {};
  for (const name of Object.keys(fields)) {
    if (!NOT_STORED.has(name) && !omitted.has(name)) storable[name] = fields[name] as string | string[];
  }
  // A recipient adds a missing Date, from which the age is calculated (RFC 9110, section 6.6.1).
  storable['date'] ??= new Date(receivedAtMs).toUTCString();
  return storable;
}

/** The fields that directives exclude from storing while the rest of the response may be stored. */
function qualifiedFields(control: CacheControl, mode: CacheMode): readonly string[] {
  const noCache = control.fieldNames('no-cache');
  return mode === 'shared' ? [...noCache, ...control.fieldNames('private')] : noCache;
}

/**
 * A stored response, updated by a 304 or a response to HEAD (RFC 9111, sections 4.3.4 and 4.3.5). It is then stored for the
 * credentials of the request that was answered, and selected by the `Vary` of the update if that has one.
 */
export function freshen(
  stored: StoredResponse,
  fields: Readonly<StoredFields>,
  times: ExchangeTimes,
  { mode, presented }: { readonly mode: CacheMode; readonly presented: PresentedRequest },
): StoredResponse {
  const control = new CacheControl(responseField(fields, 'cache-control'));
  const update = storableFields(fields, control, mode, times.receivedAtMs);
  const vary = Object.hasOwn(update, 'vary') ? (varyFields(update) ?? []) : undefined;
  const selecting = vary === undefined ? stored.selecting : selectingFields(vary, presented.headers);
  const { authorization, cookie: presentedCookie } = presented.credentials;
  // A response for all cookies remains one, unless the update sets a cookie.
  const cookie = Object.hasOwn(update, 'set-cookie') ? presentedCookie : stored.cookie;
  const headers = updatedFields(stored.headers, update);
  // The update may name a field that was stored before, or bring one that the stored directives name.
  const updatedControl = new CacheControl(responseField(headers, 'cache-control'));
  for (const name of qualifiedFields(updatedControl, mode)) delete headers[name];
  return { ...stored, headers, selecting, authorization, cookie, ...times, outdated: false };
}

/** The stored fields with those of an update, except for fields that describe the stored body. */
export function updatedFields(stored: Readonly<StoredFields>, update: Readonly<StoredFields>): StoredFields {
  const headers: StoredFields = { ...stored };
  for (const name of Object.keys(update)) {
    if (!NOT_UPDATED.has(name)) headers[name] = update[name] as string | string[];
  }
  // The Age of an earlier response says nothing about the age of this one.
  if (!Object.hasOwn(update, 'age')) delete headers['age'];
  return headers;
}
