import { OptionsError, withheld } from '@macadam/core';
import { randomKey, type RandomKeySource } from '../random-key.ts';
import { assertNamedValues } from '../named-values.ts';
import { encodeQuery, type Query } from '../query.ts';
import type { BodyOptions } from '../request-options.ts';
import { isFormData, MultipartBody } from './multipart.ts';
import { OneShotBody } from './one-shot.ts';
import { BlobBody, isStreamedBody, FactoryBody, type BodySource } from './source.ts';

/** An encoded body: the same bytes for every attempt, or a source that is opened for each. */
export interface EncodedBody {
  readonly body: string | Uint8Array | undefined;
  readonly source: BodySource | undefined;
  /** Undefined if the source provides it for each attempt (a multipart form). */
  readonly contentType: string | undefined;
}

/**
 * Encodes the body options of a request.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for more than one of them, and for a value that cannot be encoded
 */
export function encodeBody(options: BodyOptions, keys: RandomKeySource): EncodedBody | undefined {
  const { json, form, multipart, body } = options;
  if (json === undefined && form === undefined && multipart === undefined && body === undefined) return undefined;
  if ([json, form, multipart, body].filter((one) => one !== undefined).length > 1) {
    const [name, value] = Object.entries({ json, form, multipart, body }).findLast(([, one]) => one !== undefined)!;
    throw new OptionsError(`request.${name}`, withheld(value), 'the only one of json, form, multipart and body');
  }
  if (json !== undefined) return encoded(encodeJson(json), 'application/json');
  if (form !== undefined) return encoded(encodeForm(form), 'application/x-www-form-urlencoded');
  if (typeof body === 'string') return encoded(body, 'text/plain; charset=utf-8');
  if (body instanceof Uint8Array) return encoded(body, OCTET_STREAM);
  if (multipart !== undefined) {
    if (!isFormData(multipart)) assertNamedValues('request.multipart', multipart);
    const source = new MultipartBody(multipart, () => randomKey(keys));
    return { body: undefined, source, contentType: undefined };
  }
  if (body instanceof Blob)
    return { body: undefined, source: new BlobBody(body), contentType: body.type || OCTET_STREAM };
  if (typeof body === 'function') return { body: undefined, source: new FactoryBody(body), contentType: OCTET_STREAM };
  if (isStreamedBody(body)) return { body: undefined, source: new OneShotBody(body), contentType: OCTET_STREAM };
  throw new OptionsError('request.body', body, 'a string, a Uint8Array, a Blob, a stream or a function that makes one');
}

const OCTET_STREAM = 'application/octet-stream';

function encoded(body: string | Uint8Array, contentType: string): EncodedBody {
  return { body, source: undefined, contentType };
}

function encodeJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // Reported below: the message for a cycle or a bigint does not name the option.
  }
  if (text === undefined) throw new OptionsError('request.json', value, 'a value that JSON can hold');
  return text;
}

function encodeForm(form: Query): string {
  return encodeQuery(form, 'request.form').replaceAll('%20', '+');
}
