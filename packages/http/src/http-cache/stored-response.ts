import { CacheControl } from './cache-control.ts';
import type { Asker } from './credentials.ts';
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

/** Fields about one connection, or one hop through a proxy (RFC 9111, section 3.1). */
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
  // Ours, about how one answer came to be.
  'cache-status',
]);

/**
 * What a 304 does not replace: the length and the checksums of the very bytes that are kept, and how they came to be those
 * (RFC 9111, section 3.2, "to ensure integrity of the stored response"). All else it does, the content type included.
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

/** The fields of a response that may be kept. Those under a qualified `no-cache` or `private` may not. */
export function storableFields(
  fields: Readonly<StoredFields>,
  control: CacheControl,
  mode: CacheMode,
  receivedAtMs: number,
): StoredFields {
  const omitted = new Set(listMembers(responseField(fields, 'connection') ?? '').map((name) => name.toLowerCase()));
  for (const name of qualifiedBy(control, mode)) omitted.add(name);
  const kept: StoredFields = {};
  for (const name of Object.keys(fields)) {
    if (!NOT_STORED.has(name) && !omitted.has(name)) kept[name] = fields[name] as string | string[];
  }
  // Age is counted from it (RFC 9110, section 6.6.1).
  kept['date'] ??= new Date(receivedAtMs).toUTCString();
  return kept;
}

/** The fields that a directive keeps out of a store, while the rest of a response may be kept. */
function qualifiedBy(control: CacheControl, mode: CacheMode): readonly string[] {
  const ofAll = control.fieldNames('no-cache');
  return mode === 'shared' ? [...ofAll, ...control.fieldNames('private')] : ofAll;
}

/**
 * A stored response with what a 304, or an answer to HEAD, says anew: to this request, whose credentials it was given to, and
 * chosen by what it names in `Vary`, if it does.
 */
export function freshened(
  stored: StoredResponse,
  fields: Readonly<StoredFields>,
  times: { readonly requestedAtMs: number; readonly receivedAtMs: number },
  { mode, asker }: { readonly mode: CacheMode; readonly asker: Asker },
): StoredResponse {
  const control = new CacheControl(responseField(fields, 'cache-control'));
  const fresh = storableFields(fields, control, mode, times.receivedAtMs);
  const names = Object.hasOwn(fresh, 'vary') ? (varyFields(fresh) ?? []) : undefined;
  const selecting = names === undefined ? stored.selecting : selectingFields(names, asker.headers);
  const { authorization, cookie: own } = asker.credentials;
  // What is the same for all cookies stays so, unless another one came with it.
  const cookie = Object.hasOwn(fresh, 'set-cookie') ? own : stored.cookie;
  const headers = updatedFields(stored.headers, fresh);
  // What was kept before may have been named only now, and what comes now by what was said before.
  const told = new CacheControl(responseField(headers, 'cache-control'));
  for (const name of qualifiedBy(told, mode)) delete headers[name];
  return { ...stored, headers, selecting, authorization, cookie, ...times, outdated: false };
}

/** What is said of a stored body, with what is said anew, apart from what describes the bytes that came with it. */
export function updatedFields(stored: Readonly<StoredFields>, fresh: Readonly<StoredFields>): StoredFields {
  const headers: StoredFields = { ...stored };
  for (const name of Object.keys(fresh)) {
    if (!NOT_UPDATED.has(name)) headers[name] = fresh[name] as string | string[];
  }
  // An age told by an earlier answer says nothing about this one.
  if (!Object.hasOwn(fresh, 'age')) delete headers['age'];
  return headers;
}
