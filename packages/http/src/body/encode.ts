import { OptionsError, withheld } from '@macadam/core';
import { randomKey, type RandomKeySource } from '../random-key.ts';
import { assertNamedValues } from '../named-values.ts';
import { encodeQuery, type Query } from '../query.ts';
import type { BodyOptions } from '../request-options.ts';
import { isFormData, MultipartBody } from './multipart.ts';
import { OneShotBody } from './one-shot.ts';
import { BlobBody, isStreamedBody, FactoryBody, type BodySource } from './source.ts';

/** A body as tries send it: the same bytes each time, or out of a source. */
export interface EncodedBody {
  readonly body: string | Uint8Array | undefined;
  readonly source: BodySource | undefined;
  /** Undefined when the source tells it for each try. */
  readonly contentType: string | undefined;
}

/**
 * What the body options of a request come to.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for more than one, and for what cannot be encoded.
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
  if (body instanceof Uint8Array) return encoded(body, OCTETS);
  if (multipart !== undefined) {
    if (!isFormData(multipart)) assertNamedValues('request.multipart', multipart);
    const source = new MultipartBody(multipart, () => randomKey(keys));
    return { body: undefined, source, contentType: undefined };
  }
  if (body instanceof Blob) return { body: undefined, source: new BlobBody(body), contentType: body.type || OCTETS };
  if (typeof body === 'function') return { body: undefined, source: new FactoryBody(body), contentType: OCTETS };
  if (isStreamedBody(body)) return { body: undefined, source: new OneShotBody(body), contentType: OCTETS };
  throw new OptionsError('request.body', body, 'a string, a Uint8Array, a Blob, a stream or a function that makes one');
}

const OCTETS = 'application/octet-stream';

function encoded(body: string | Uint8Array, contentType: string): EncodedBody {
  return { body, source: undefined, contentType };
}

function encodeJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch {
    // The message of a cycle or a bigint says less than the option's name.
  }
  if (text === undefined) throw new OptionsError('request.json', value, 'a value that JSON can hold');
  return text;
}

function encodeForm(form: Query): string {
  return encodeQuery(form, 'request.form').replaceAll('%20', '+');
}
