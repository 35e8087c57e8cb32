import type { PreparedRequest } from '../request.ts';
import type { HttpResponse } from '../response.ts';
import { CacheControl } from './cache-control.ts';
import { responseField, type StoredFields } from './fields.ts';
import { isStorable } from './storability.ts';
import { storableFields, type CacheMode, type StoredResponse } from './stored-response.ts';
import { credentialsOf } from './credentials.ts';
import { selectingFields, varyFields } from './vary.ts';

/** When a request went out and when its answer was there. */
export interface Times {
  readonly requestedAt: number;
  readonly receivedAt: number;
}

/** What is to be kept of an answer; undefined when it may not be kept. */
export function recordOf(
  { method, headers: requestHeaders }: PreparedRequest,
  response: HttpResponse,
  fields: StoredFields,
  times: Times,
  { mode, authorizes }: { readonly mode: CacheMode; readonly authorizes: boolean },
): StoredResponse | undefined {
  const { status } = response;
  const credentials = credentialsOf(requestHeaders);
  const authorized = authorizes || credentials.authorization !== '';
  if (response.bodyTruncated) return undefined;
  if (!isStorable({ method, requestHeaders, authorized, status, headers: fields }, mode)) return undefined;
  const control = new CacheControl(responseField(fields, 'cache-control'));
  return {
    status,
    headers: storableFields(fields, control, mode, times.receivedAt),
    body: new Uint8Array(response.bytes()),
    ...times,
    selecting: selectingFields(varyFields(fields) ?? [], requestHeaders),
    ...credentials,
    outdated: false,
  };
}
