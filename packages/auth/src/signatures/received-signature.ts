// Parses the fields `Signature-Input` and `Signature` of a message (RFC 9421 section 4).
import { SignatureError } from '../errors.ts';
import { areDistinct, type Component, parseComponent } from './component.ts';
import type { ParsedMessage } from './component-value.ts';
import {
  type FieldMember,
  type FieldParameters,
  isInnerList,
  memberSerializer,
  type MemberSerializer,
  parseStrictDictionary,
  serializeInnerList,
} from './structured-fields.ts';

/** A parsed signature, before verification. */
export interface ReceivedSignature {
  readonly label: string;
  readonly components: readonly Component[];
  /** The signature parameters as they are in the signature base, serialized from what was received. */
  readonly signatureParams: string;
  readonly createdAtMs: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly keyId: string | undefined;
  readonly nonce: string | undefined;
  readonly algorithm: string | undefined;
  readonly tag: string | undefined;
  readonly signature: Buffer;
}

/** More than proxies add to a message. Each signature can cost a key lookup and a verification. */
const MAX_SIGNATURES = 8;
const MAX_COMPONENTS = 64;
const MAX_LENGTH = 16_384;

/** A signature that is parsed on demand: a malformed one must not prevent the use of another one. */
export interface UnparsedSignature {
  readonly label: string;
  /** @throws SignatureError `missing` or `malformed`. */
  parse(): ReceivedSignature;
}

/**
 * The signatures of a message, in the order of `Signature-Input`.
 * @throws SignatureError `missing` or `malformed`, when a whole field is
 */
export function receivedSignatures({ fields }: ParsedMessage): readonly UnparsedSignature[] {
  const inputField = fieldValue(fields, 'signature-input');
  const inputs = parseField(inputField, 'signature-input');
  const signatures = parseField(fieldValue(fields, 'signature'), 'signature');
  // The library parses the decimal `1.0` as the integer `1`; a text that may contain one is serialized without loss.
  const serialize = /\.0|%"/.test(inputField) ? memberSerializer(inputField) : undefined;
  return [...inputs].map(([label, input]) => ({
    label,
    parse: () => parseSignature(label, input, signatures.get(label), serialize),
  }));
}

function parseSignature(
  label: string,
  input: FieldMember,
  signature: FieldMember | undefined,
  serialize: MemberSerializer | undefined,
): ReceivedSignature {
  if (!isInnerList(input) || input[0].length > MAX_COMPONENTS) throw malformed('signature-input');
  if (signature === undefined) throw new SignatureError('missing', { header: 'signature' });
  if (isInnerList(signature) || !(signature[0] instanceof ArrayBuffer)) throw malformed('signature');
  const [identifiers, parameters] = input;
  const components = identifiers.map(([name, componentParameters]) => parseComponent(name, componentParameters));
  if (!components.every((one) => one !== undefined) || !areDistinct(components)) throw malformed('signature-input');
  const signatureParams = serialize === undefined ? serializeInnerList(input) : withoutDecimalTime(serialize(label));
  if (signatureParams === undefined) throw malformed('signature-input');
  return {
    label,
    components,
    signatureParams,
    createdAtMs: timeParameter(parameters, 'created'),
    expiresAtMs: timeParameter(parameters, 'expires'),
    keyId: stringParameter(parameters, 'keyid'),
    nonce: stringParameter(parameters, 'nonce'),
    algorithm: stringParameter(parameters, 'alg'),
    tag: stringParameter(parameters, 'tag'),
    signature: Buffer.from(signature[0]),
  };
}

/** Signature parameters; `undefined` when they contain a decimal time: times are integers (RFC 9421 section 2.3). */
function withoutDecimalTime(signatureParams: string | undefined): string | undefined {
  // Strings are blanked, since they may contain the same characters.
  const isDecimal = /;(created|expires)=-?\d+\./.test((signatureParams ?? '').replaceAll(/"(?:[^"\\]|\\.)*"/g, '""'));
  return isDecimal ? undefined : signatureParams;
}

function fieldValue(fields: ParsedMessage['fields'], name: string): string {
  return (fields.get(name) ?? []).join(', ');
}

function parseField(value: string, header: string): NonNullable<ReturnType<typeof parseStrictDictionary>> {
  if (value.length > MAX_LENGTH) throw malformed(header);
  const dictionary = parseStrictDictionary(value);
  if (dictionary === undefined || dictionary.size > MAX_SIGNATURES) throw malformed(header);
  if (dictionary.size === 0) throw new SignatureError('missing', { header });
  return dictionary;
}

/** A time in epoch milliseconds; the parameter is in seconds. */
function timeParameter(parameters: FieldParameters, name: string): number | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) throw malformed(name);
  return value * 1_000;
}

function stringParameter(parameters: FieldParameters, name: string): string | undefined {
  const value = parameters.get(name);
  if (value === undefined || typeof value === 'string') return value;
  throw malformed(name);
}

function malformed(header: string): SignatureError {
  return new SignatureError('malformed', { header });
}
