import { assertFunction, assertInteger, assertNumber, assertObject, OptionsError } from '@macadam/core';
import type { Codec } from './codec/codec.ts';
import { devalueCodec } from './codec/devalue-codec.ts';
import { keyring, type EncryptionOptions, type Keyring } from './wire/encryption.ts';
import { isWellFormed } from './well-formed.ts';
import type { StandardSchema } from './wire/schema.ts';

/** How values become bytes in the shared tier. In memory they stay what they are. */
export interface ValueOptions<T = unknown> {
  /** Turns values into bytes and back. Default: `devalueCodec()`. */
  codec?: Codec;
  /**
   * Values out of the shared tier are checked by it, and count as missing when they do not fit: another version of the service may
   * have written them. Any Standard Schema; what it makes of a value is not taken. Absences (`null`) are not checked. Default: none.
   */
  schema?: StandardSchema<T>;
  /**
   * Stands with each value; one that was written with another is not read. Change it when what values mean changes in a way that
   * `schema` does not see. At most 255 bytes. Default: the empty string.
   */
  schemaVersion?: string;
  /** Values of more bytes are compressed, at least 0; `Infinity` for none. Default: 4 096. */
  compressAboveBytes?: number;
  /** Values of more bytes, before compression, do not go to the shared tier, nor are they read from it; above 0. Default: 1 048 576. */
  maxValueBytes?: number;
  /** Encrypts values, and binds each to its key and cache. Default: none. */
  encryption?: EncryptionOptions;
}

/** The options with every default filled in, checked. */
export interface ValueSettings {
  readonly codec: Codec;
  readonly schema: StandardSchema | undefined;
  readonly schemaVersion: string;
  readonly compressAboveBytes: number;
  readonly maxValueBytes: number;
  readonly encryption: Keyring | undefined;
}

export const VALUE_OPTION_NAMES: readonly (keyof ValueOptions)[] = [
  'codec',
  'schema',
  'schemaVersion',
  'compressAboveBytes',
  'maxValueBytes',
  'encryption',
];

/** Of the limit on values: HybridCache. */
const DEFAULTS = { schemaVersion: '', compressAboveBytes: 4_096, maxValueBytes: 1_048_576 } as const;
/** The header of an entry has a byte for their lengths. */
const LONGEST_NAME = 255;

export function valueSettings(path: string, options: ValueOptions): ValueSettings {
  const { codec = devalueCodec(), schema } = options;
  const { schemaVersion = DEFAULTS.schemaVersion, encryption } = options;
  const { compressAboveBytes = DEFAULTS.compressAboveBytes, maxValueBytes = DEFAULTS.maxValueBytes } = options;
  assertCodec(`${path}.codec`, codec);
  if (schema !== undefined) assertSchema(`${path}.schema`, schema);
  if (typeof schemaVersion !== 'string') throw new OptionsError(`${path}.schemaVersion`, schemaVersion, 'a string');
  assertShort(`${path}.schemaVersion`, schemaVersion);
  assertNumber(`${path}.compressAboveBytes`, compressAboveBytes, { min: 0, infinite: true });
  // A length in an entry has four bytes.
  assertInteger(`${path}.maxValueBytes`, maxValueBytes, { min: 1, max: 536_870_912 });
  return {
    codec,
    schema,
    schemaVersion,
    compressAboveBytes,
    maxValueBytes,
    encryption: encryption === undefined ? undefined : keyring(`${path}.encryption`, encryption),
  };
}

function assertCodec(path: string, codec: Codec): void {
  assertObject(path, codec);
  if (typeof codec.id !== 'string' || codec.id.length === 0) throw new OptionsError(`${path}.id`, codec.id, 'a text');
  assertShort(`${path}.id`, codec.id);
  assertFunction(`${path}.encode`, codec.encode);
  assertFunction(`${path}.decode`, codec.decode);
}

function assertSchema(path: string, schema: StandardSchema): void {
  // Schemas of some libraries are functions.
  const standard = (schema as Partial<StandardSchema> | null)?.['~standard'];
  if (typeof standard?.validate !== 'function') throw new OptionsError(path, schema, 'a Standard Schema');
}

/** Throws {@link OptionsError} for what would not come back from the header of an entry as it is. */
export function assertShort(path: string, text: string): void {
  if (Buffer.byteLength(text) > LONGEST_NAME || !isWellFormed(text)) {
    throw new OptionsError(path, text.slice(0, LONGEST_NAME), `a well-formed text of ${LONGEST_NAME} bytes at most`);
  }
}
