import { assertFunction, assertObject } from '@macadam/core';
import { CacheValueError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { Survey } from './survey.ts';

/** What `new Packr({ structuredClone: true })` of msgpackr offers. */
export interface MessagePacker {
  pack(value: unknown): Uint8Array;
  unpack(bytes: Uint8Array): unknown;
}

/**
 * MessagePack by a packer of yours, smaller and faster than text. The packer must write types out in full: without
 * `structuredClone: true`, msgpackr loses Map, Set and typed arrays. It refuses more than the default codec: a Buffer (a
 * Uint8Array does), a Float16Array, lists with holes, objects without a prototype, and half of a surrogate pair. -0 comes back as 0.
 */
export function messagePackCodec(packer: MessagePacker): Codec {
  assertObject('messagePackCodec.packer', packer);
  assertFunction('messagePackCodec.packer.pack', packer.pack);
  assertFunction('messagePackCodec.packer.unpack', packer.unpack);
  return {
    id: 'msgpack-1',
    encode(value) {
      const { buffers, halfFloats, holes, nullPrototypes, illFormed } = new Survey(value, true);
      if (buffers) throw new CacheValueError('A Buffer cannot be packed; a Uint8Array can');
      if (halfFloats) throw new CacheValueError('A Float16Array cannot be packed');
      if (holes) throw new CacheValueError('A list with holes cannot be packed');
      if (nullPrototypes) throw new CacheValueError('An object without a prototype cannot be packed');
      if (illFormed) throw new CacheValueError('Half of a surrogate pair cannot be packed');
      try {
        // A copy: packers hand out views of a buffer that they write to again.
        return Uint8Array.from(packer.pack(value));
      } catch (error) {
        throw new CacheValueError('The value cannot be packed', error);
      }
    },
    decode: (bytes) => packer.unpack(bytes),
  };
}
