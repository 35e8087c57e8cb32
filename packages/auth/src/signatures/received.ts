import { SignatureError } from '../errors.ts';
import { areDistinct, type Component, readComponent } from './component.ts';
import type { ReadMessage } from './component-value.ts';
import {
  type FieldMember,
  type FieldParameters,
  type InnerList,
  isInnerList,
  readDictionary,
  rewriteMember,
  writeInnerList,
} from './structured-fields.ts';

/** A signature as it came. Nothing of it is verified. */
export interface ReceivedSignature {
  readonly label: string;
  readonly components: readonly Component[];
  /** As it is signed: the one spelling of what was received. */
  readonly input: string;
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
  const text = fieldIn(fields, 'signature-input');
  const inputs = dictionaryIn(text, 'signature-input');
  const signatures = dictionaryIn(fieldIn(fields, 'signature'), 'signature');
  return [...inputs].map(([label, input]) => ({
    label,
    read: () => readSlot(label, input, signatures.get(label), text),
  }));
}

function readSlot(
  label: string,
  input: FieldMember,
  signature: FieldMember | undefined,
  inputs: string,
): ReceivedSignature {
  if (!isInnerList(input) || input[0].length > MAX_COMPONENTS) throw malformed('signature-input');
  if (signature === undefined) throw new SignatureError('missing', { header: 'signature' });
  if (isInnerList(signature) || !(signature[0] instanceof ArrayBuffer)) throw malformed('signature');
  const [items, parameters] = input;
  const components = items.map(([name, own]) => readComponent(name, own));
  if (!components.every((one) => one !== undefined) || !areDistinct(components)) throw malformed('signature-input');
  const written = spellingOf(label, input, inputs);
  if (written === undefined) throw malformed('signature-input');
  return {
    label,
    components,
    input: written,
    created: seconds(parameters, 'created'),
    expires: seconds(parameters, 'expires'),
    keyId: text(parameters, 'keyid'),
    nonce: text(parameters, 'nonce'),
    algorithm: text(parameters, 'alg'),
    tag: text(parameters, 'tag'),
    signature: Buffer.from(signature[0]),
  };
}

/** Of the decimal `1.0` the parser makes the integer `1`, which is another value: where there may be one, more care is taken. */
function spellingOf(label: string, input: InnerList, inputs: string): string | undefined {
  if (!/\.0|%"/.test(inputs)) return writeInnerList(input);
  const written = rewriteMember(inputs, label);
  // Times are integers (RFC 9421 section 2.3), and what stands in a text is none.
  const isDecimal = /;(created|expires)=-?\d+\./.test((written ?? '').replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'));
  return isDecimal ? undefined : written;
}

function fieldIn(fields: ReadMessage['fields'], name: string): string {
  return (fields.get(name) ?? []).join(', ');
}

function dictionaryIn(value: string, header: string): NonNullable<ReturnType<typeof readDictionary>> {
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
