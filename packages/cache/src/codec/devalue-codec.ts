import { parse, stringify } from 'devalue';
import { CacheValueError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { ValueTraits, VIEWS } from './value-traits.ts';

/** Marks devalue text; no JSON starts with it. */
const DEVALUE_PREFIX = '~';
const DEVALUE_PREFIX_BYTE = DEVALUE_PREFIX.charCodeAt(0);

// In an array, because devalue ignores a reducer that returns a falsy value such as an empty string.
const REDUCERS = {
  Buffer: (value: unknown) => Buffer.isBuffer(value) && [value.toString('base64')],
  Part: (value: unknown) => isPartialView(value) && [value.constructor.name, viewBytes(value).toString('base64')],
};
const REVIVERS = {
  Buffer: ([text]: [string]) => Buffer.from(text, 'base64'),
  Part: ([name, text]: [string, string]) => toView(name, text),
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
      const { isJson, hasBuffers, hasPartialViews } = new ValueTraits(value, false);
      try {
        return Buffer.from(
          isJson
            ? JSON.stringify(value)
            : DEVALUE_PREFIX + stringify(value, hasBuffers || hasPartialViews ? REDUCERS : undefined),
        );
      } catch (error) {
        throw new CacheValueError('The value cannot be encoded as text', error);
      }
    },
    decode(bytes) {
      const text = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      return text[0] === DEVALUE_PREFIX_BYTE
        ? parse(text.toString('utf8', 1), REVIVERS)
        : parseJson(text.toString('utf8'));
    },
  };
}

/**
 * Whether the view covers only a part of its buffer. devalue would store the whole buffer, which for a view into a
 * shared pool contains the data of others.
 */
function isPartialView(value: unknown): value is ArrayBufferView {
  return ArrayBuffer.isView(value) && value.byteLength !== value.buffer.byteLength;
}

function viewBytes({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

function toView(name: string, text: string): ArrayBufferView {
  const type = VIEWS.get(name);
  if (type === undefined) throw new CacheValueError('A view of an unknown kind cannot be read');
  return new type(Uint8Array.from(Buffer.from(text, 'base64')).buffer);
}

/** Parses JSON that `encode` wrote, and rejects a field that would set a prototype when the value is copied. */
function parseJson(text: string): unknown {
  // The name may be spelled with escapes. `encode` writes `\u00…` only for control characters, which are rare.
  const suspect = text.includes('__proto__') || text.includes('\\u00');
  return suspect ? JSON.parse(text, rejectPrototypeField) : JSON.parse(text);
}

function rejectPrototypeField(name: string, value: unknown): unknown {
  if (name === '__proto__') throw new CacheValueError('A field called __proto__ cannot be read');
  return value;
}
