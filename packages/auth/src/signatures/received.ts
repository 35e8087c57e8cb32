import { SignatureError } from '../errors.ts';
import { areDistinct, type Component, readComponent } from './component.ts';
import type { ReadMessage } from './component-value.ts';
import { type FieldMember, type FieldParameters, isInnerList, readDictionary } from './structured-fields.ts';

/** A signature as it came. Nothing of it is verified. */
export interface ReceivedSignature {
  readonly label: string;
  readonly components: readonly Component[];
  readonly parameters: FieldParameters;
  readonly created: number | undefined;
  readonly expires: number | undefined;
  readonly keyId: string | undefined;
  readonly nonce: string | undefined;
  readonly algorithm: string | undefined;
  readonly tag: string | undefined;
  readonly signature: Buffer;
}

/** More than proxies add to a message; each may cost a look-up and a verification. */
const MAX_SIGNATURES = 8;
const MAX_COMPONENTS = 64;
const MAX_LENGTH = 16_384;

/** A signature that has not been read yet: one that cannot be is no reason to refuse another. */
export interface SignatureSlot {
  readonly label: string;
  /** @throws SignatureError `missing` or `malformed`. */
  read(): ReceivedSignature;
}

/**
 * The signatures of a message, by `Signature-Input`.
 * @throws SignatureError `missing` or `malformed`, where a header as a whole is.
 */
export function signatureSlots({ fields }: ReadMessage): readonly SignatureSlot[] {
  const inputs = dictionaryIn(fields.get('signature-input'), 'signature-input');
  const signatures = dictionaryIn(fields.get('signature'), 'signature');
  return [...inputs].map(([label, input]) => ({ label, read: () => readSlot(label, input, signatures.get(label)) }));
}

function readSlot(label: string, input: FieldMember, signature: FieldMember | undefined): ReceivedSignature {
  if (!isInnerList(input) || input[0].length > MAX_COMPONENTS) throw malformed('signature-input');
  if (signature === undefined) throw new SignatureError('missing', { header: 'signature' });
  if (isInnerList(signature) || !(signature[0] instanceof ArrayBuffer)) throw malformed('signature');
  const [items, parameters] = input;
  const components = items.map(([name, own]) => readComponent(name, own));
  if (!components.every((one) => one !== undefined) || !areDistinct(components)) throw malformed('signature-input');
  return {
    label,
    components,
    parameters,
    created: seconds(parameters, 'created'),
    expires: seconds(parameters, 'expires'),
    keyId: text(parameters, 'keyid'),
    nonce: text(parameters, 'nonce'),
    algorithm: text(parameters, 'alg'),
    tag: text(parameters, 'tag'),
    signature: Buffer.from(signature[0]),
  };
}

function dictionaryIn(
  lines: readonly string[] | undefined,
  header: string,
): NonNullable<ReturnType<typeof readDictionary>> {
  const value = (lines ?? []).join(', ');
  if (value.length > MAX_LENGTH) throw malformed(header);
  const dictionary = readDictionary(value);
  if (dictionary === undefined || dictionary.size > MAX_SIGNATURES) throw malformed(header);
  if (dictionary.size === 0) throw new SignatureError('missing', { header });
  return dictionary;
}

function seconds(parameters: FieldParameters, name: string): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw malformed(name);
  return value;
}

function text(parameters: FieldParameters, name: string): string | undefined {
  const value = parameters.get(name);
  if (value === undefined || typeof value === 'string') return value;
  throw malformed(name);
}

function malformed(header: string): SignatureError {
  return new SignatureError('malformed', { header });
}
