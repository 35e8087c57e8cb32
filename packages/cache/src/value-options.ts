import { assertFunction, assertInteger, assertNumber, assertObject, OptionsError } from '@macadam/core';
import type { Codec } from './codec/codec.ts';
import { devalueCodec } from './codec/devalue-codec.ts';
import { createKeyring, type EncryptionOptions, type Keyring } from './wire/encryption.ts';
import { isWellFormed } from './well-formed.ts';
import type { StandardSchema } from './wire/schema.ts';

/** How values are converted to bytes for the shared tier. Values in memory stay as they are. */
export interface ValueOptions<T = unknown> {
  /** Converts values to bytes and back. Default: `devalueCodec()`. */
  codec?: Codec;
  /**
   * Validates values that are read from the shared tier. A value that does not fit counts as a miss: another version of
   * the service may have written it. Any Standard Schema; its transformations are not applied. `null` is not validated.
   * Default: none.
   */
  schema?: StandardSchema<T>;
  /**
   * Version of the meaning of values, at most 255 bytes. Values that were written with another version are not read.
   * Change it when the meaning changes in a way that `schema` does not detect. Default: the empty string.
   */
  schemaVersion?: string;
  /** Compresses values of more than this many bytes, at least 0; `Infinity` for never. Default: 4 096. */
  compressAboveBytes?: number;
  /**
   * Maximum size of a value in the shared tier, in bytes before compression, 1 to 536 870 912. A larger one is neither
   * written nor read. Default: 1 048 576 (1 MiB, as in HybridCache).
   */
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

/** The default of `maxValueBytes` is that of HybridCache. */
const DEFAULTS = { schemaVersion: '', compressAboveBytes: 4_096, maxValueBytes: 1_048_576 } as const;
/** The header of an entry stores the lengths of names in one byte. */
const MAX_NAME_BYTES = 255;

export function valueSettings(path: string, options: ValueOptions): ValueSettings {
  const { codec = devalueCodec(), schema } = options;
  const { schemaVersion = DEFAULTS.schemaVersion, encryption } = options;
  const { compressAboveBytes = DEFAULTS.compressAboveBytes, maxValueBytes = DEFAULTS.maxValueBytes } = options;
  assertCodec(`${path}.codec`, codec);
  if (schema !== undefined) assertSchema(`${path}.schema`, schema);
  if (typeof schemaVersion !== 'string') throw new OptionsError(`${path}.schemaVersion`, schemaVersion, 'a string');
  assertShortText(`${path}.schemaVersion`, schemaVersion);
  assertNumber(`${path}.compressAboveBytes`, compressAboveBytes, { min: 0, infinite: true });
  // The header of an entry stores this length in four bytes.
  assertInteger(`${path}.maxValueBytes`, maxValueBytes, { min: 1, max: 536_870_912 });
  return {
    codec,
    schema,
    schemaVersion,
    compressAboveBytes,
    maxValueBytes,
    encryption: encryption === undefined ? undefined : createKeyring(`${path}.encryption`, encryption),
  };
}

function assertCodec(path: string, codec: Codec): void {
  assertObject(path, codec);
  if (typeof codec.id !== 'string' || codec.id.length === 0) throw new OptionsError(`${path}.id`, codec.id, 'a text');
  assertShortText(`${path}.id`, codec.id);
  assertFunction(`${path}.encode`, codec.encode);
  assertFunction(`${path}.decode`, codec.decode);
}

function assertSchema(path: string, schema: StandardSchema): void {
  // The schemas of some libraries are functions.
  const standard = (schema as Partial<StandardSchema> | null)?.['~standard'];
  if (typeof standard?.validate !== 'function') throw new OptionsError(path, schema, 'a Standard Schema');
}

/** Throws {@link OptionsError} for a text that the header of an entry could not store unchanged. */
export function assertShortText(path: string, text: string): void {
  if (Buffer.byteLength(text) > MAX_NAME_BYTES || !isWellFormed(text)) {
    throw new OptionsError(
      path,
      text.slice(0, MAX_NAME_BYTES),
      `a well-formed text of ${MAX_NAME_BYTES} bytes at most`,
    );
  }
}
