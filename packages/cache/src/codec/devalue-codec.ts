import { parse, stringify } from 'devalue';
import { CacheValueError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { Survey } from './survey.ts';

/** What no JSON begins with. */
const MARK = '~';
const MARK_CODE = MARK.charCodeAt(0);

// In a list, since what is empty would not count.
const REDUCERS = { Buffer: (value: unknown) => Buffer.isBuffer(value) && [value.toString('base64')] };
const REVIVERS = { Buffer: ([text]: [string]) => Buffer.from(text, 'base64') };

/**
 * The default: JSON where JSON is enough, which is several times faster; else a superset of it, after a mark. The format of the
 * superset may change with the library's major version, which `id` names.
 */
export function devalueCodec(): Codec {
  return {
    id: 'json-devalue-6',
    encode(value) {
      const { json, buffers } = new Survey(value, false);
      try {
        return Buffer.from(json ? JSON.stringify(value) : MARK + stringify(value, buffers ? REDUCERS : undefined));
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
