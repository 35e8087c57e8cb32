import { parse, stringify } from 'devalue';
import { CacheValueError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { Survey, VIEWS } from './survey.ts';

/** What no JSON begins with. */
const MARK = '~';
const MARK_CODE = MARK.charCodeAt(0);

// In a list, since what is empty would not count.
const REDUCERS = {
  Buffer: (value: unknown) => Buffer.isBuffer(value) && [value.toString('base64')],
  Part: (value: unknown) => isPart(value) && [value.constructor.name, bytesOf(value).toString('base64')],
};
const REVIVERS = {
  Buffer: ([text]: [string]) => Buffer.from(text, 'base64'),
  Part: ([name, text]: [string, string]) => partOf(name, text),
};

/**
 * The default codec: JSON where JSON is enough, which is several times faster; otherwise devalue, a superset of JSON,
 * after a marker. `id` contains the major version of devalue, since its format may change with it.
 *
 * @example
 * ```ts
 * import { createCache, devalueCodec } from '@macadam/cache';
 *
 * const users = createCache<{ name: string }>({ name: 'users', codec: devalueCodec() });
 * ```
 */
export function devalueCodec(): Codec {
  return {
    id: 'json-devalue-6',
    encode(value) {
      const { json, buffers, parts } = new Survey(value, false);
      try {
        return Buffer.from(
          json ? JSON.stringify(value) : MARK + stringify(value, buffers || parts ? REDUCERS : undefined),
        );
      } catch (error) {
        throw new CacheValueError('The value cannot be written as text', error);
      }
    },
    decode(bytes) {
      const text = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return text[0] === MARK_CODE ? parse(text.toString('utf8', 1), REVIVERS) : parseJson(text.toString('utf8'));
    },
  };
}

/** A view of a part of its bytes: the superset would write all of them, and who shares a pool would store what others have there. */
function isPart(value: unknown): value is ArrayBufferView {
  return ArrayBuffer.isView(value) && value.byteLength !== value.buffer.byteLength;
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function partOf(name: string, text: string): ArrayBufferView {
  const type = VIEWS.get(name);
  if (type === undefined) throw new CacheValueError('A view of an unknown kind cannot be read');
  return new type(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

/** JSON as `encode` writes it: what would set a prototype when it is copied to another object is not from there. */
function parseJson(text: string): unknown {
  // An escape could spell the name as well. Control characters are the only ones that `encode` escapes so, and rare.
  const suspect = text.includes('__proto__') || text.includes('\\u00');
  return suspect ? JSON.parse(text, refusePrototype) : JSON.parse(text);
}

function refusePrototype(name: string, value: unknown): unknown {
  if (name === '__proto__') throw new CacheValueError('A field called __proto__ cannot be read');
  return value;
}
