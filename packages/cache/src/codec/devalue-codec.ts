import { parse, stringify } from 'devalue';
import { CacheValueError } from '../errors.ts';
import { assertStorable, type Codec } from './codec.ts';

/** The default: a superset of JSON, as text. Its format may change with the library's major version, which `id` names. */
export function devalueCodec(): Codec {
  return {
    id: 'devalue-6',
    encode(value) {
      assertStorable(value);
      try {
        return Buffer.from(stringify(value), 'utf8');
      } catch (error) {
        throw new CacheValueError('The value cannot be written as text', error);
      }
    },
    decode: (bytes) => parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')),
  };
}
