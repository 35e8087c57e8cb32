import { assertFunction, assertObject } from '@macadam/core';
import { CacheValueError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { ValueTraits } from './value-traits.ts';

/** A MessagePack encoder, such as `new Packr({ structuredClone: true })` of msgpackr. */
export interface MessagePacker {
  /** Encodes a value. */
  pack(value: unknown): Uint8Array;
  /** Decodes what `pack` returned. */
  unpack(bytes: Uint8Array): unknown;
}

/**
 * A codec that uses a MessagePack encoder of yours: smaller and faster than text. The encoder must preserve types:
 * without `structuredClone: true`, msgpackr loses Map, Set and typed arrays. Rejects some values that the default codec
 * accepts: a Buffer (use a Uint8Array), a Float16Array, sparse arrays, objects without a prototype, and lone
 * surrogates. -0 becomes 0.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) when `packer` has no `pack` or `unpack`.
 * @example
 * ```ts ignore=msgpackr is not installed here
 * import { createCache, messagePackCodec } from '@macadam/cache';
 * import { Packr } from 'msgpackr';
 *
 * const codec = messagePackCodec(new Packr({ structuredClone: true }));
 * const users = createCache<{ name: string }>({ name: 'users', codec });
 * ```
 */
export function messagePackCodec(packer: MessagePacker): Codec {
  assertObject('messagePackCodec.packer', packer);
  assertFunction('messagePackCodec.packer.pack', packer.pack);
  assertFunction('messagePackCodec.packer.unpack', packer.unpack);
  return {
    id: 'msgpack-1',
    encode(value) {
      const { hasBuffers, hasFloat16Arrays, hasSparseArrays, hasNullPrototypes, hasIllFormedText } = new ValueTraits(
        value,
        true,
      );
      if (hasBuffers) throw new CacheValueError('A Buffer cannot be packed; a Uint8Array can');
      if (hasFloat16Arrays) throw new CacheValueError('A Float16Array cannot be packed');
      if (hasSparseArrays) throw new CacheValueError('A list with holes cannot be packed');
      if (hasNullPrototypes) throw new CacheValueError('An object without a prototype cannot be packed');
      if (hasIllFormedText) throw new CacheValueError('Half of a surrogate pair cannot be packed');
      try {
        // A copy: encoders return views of a buffer that they reuse.
        return Uint8Array.from(packer.pack(value));
      } catch (error) {
        throw new CacheValueError('The value cannot be packed', error);
      }
    },
    decode: (bytes) => packer.unpack(bytes),
  };
}
