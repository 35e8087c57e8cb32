import { randomBytes } from 'node:crypto';
import {
  assertClock,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertOneOf,
  assertText,
  type Clock,
  OptionsError,
  systemClock,
  underPath,
  withheld,
} from '@macadam/core';
import { bindKey, SIGNING_ALGORITHMS, type SigningAlgorithm, type SignatureKey } from './algorithms.ts';
import { type Component, defaultComponents, componentsFromOption } from './component.ts';
import { assertStructuredFields, parseMessage, type ParsedMessage, type StructuredFields } from './component-value.ts';
import { contentDigest } from './digest.ts';
import {
  bytesOf,
  hasContent,
  isResponse,
  type RequestMessage,
  type ResponseMessage,
  type SignableMessage,
} from './message.ts';
import { signatureBase, serializeSignatureParams } from './signature-base.ts';
import { type FieldParameters, parseStrictDictionary, serializeMember } from './structured-fields.ts';

/** Options of {@link signRequest} and {@link signResponse}. */
export interface SignOptions {
  /** A private key, a shared secret, or a function that signs, for keys that never leave their vault. */
  key: SignatureKey | ((base: Uint8Array) => Uint8Array | Promise<Uint8Array>);
  /** Identifies the key for the receiver (`keyid`). */
  keyId: string;
  /** The algorithm; `key` must be of its kind. It is not sent: the receiver knows it by `keyId`. */
  algorithm: SigningAlgorithm;
  /**
   * The components to sign: `@method`, `content-type`, `@query-param;name="id"`, `@method;req` … Default: `@method` and
   * `@target-uri`, or `@status` of a response, and `content-digest` where there is content.
   */
  components?: readonly string[];
  /** When it is signed, in epoch seconds as in the standard; `false` leaves it out. Default: now. */
  created?: number | false;
  /**
   * When the signature expires, in epoch seconds as in the standard; `false` leaves it out. Default: 300 seconds after
   * `created`.
   */
  expires?: number | false;
  /**
   * A value that is used once, so that the receiver can detect a replay; `false` leaves it out. Default: 128 random
   * bits.
   */
  nonce?: string | false;
  /** Identifies the application, so that a signature for one use is not accepted for another. Default: none. */
  tag?: string;
  /** Distinguishes several signatures of a message. Default: `sig1`. */
  label?: string;
  /** How structured fields of the application are written, for `;sf`. Registered ones are known. Default: none. */
  structuredFields?: StructuredFields;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Header fields to add to the message, replacing those of the same name. */
export interface SignatureHeaders extends Record<string, string> {
  /** What was signed, and its parameters. */
  'signature-input': string;
  /** The signatures. */
  signature: string;
}

const OPTIONS = [
  'key',
  'keyId',
  'algorithm',
  'components',
  'created',
  'expires',
  'nonce',
  'tag',
  'label',
  'structuredFields',
  'clock',
];
const LIFETIME_SECONDS = 300;
const LABEL = /^[a-z*][a-z0-9_.*-]*$/;

/**
 * Signs a request (RFC 9421) and returns the header fields to send with it. Adds `Content-Digest` (RFC 9530) where it
 * is covered and missing. Existing signatures are kept.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), also for a component that the message does not have. Never shows a key.
 * @example
 * ```ts
 * import { signRequest } from '@macadam/auth';
 * import { generateKeyPairSync } from 'node:crypto';
 *
 * const { privateKey } = generateKeyPairSync('ed25519');
 * const request = { method: 'POST', url: 'https://orders.example.com/orders', headers: {}, body: '{"sku":"a1"}' };
 * const headers = await signRequest(request, { key: privateKey, keyId: 'shop-1', algorithm: 'ed25519' });
 * ```
 */
export function signRequest(message: RequestMessage, options: SignOptions): Promise<SignatureHeaders> {
  return signMessage(message, options);
}

/**
 * Signs a response, as {@link signRequest} does for a request. With `request` in the message, components such as
 * `@method;req` bind it to its request.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { signResponse } from '@macadam/auth';
 * import { generateKeyPairSync } from 'node:crypto';
 *
 * const { privateKey } = generateKeyPairSync('ed25519');
 * const response = { status: 200, headers: { 'content-type': 'text/plain' }, body: 'hello' };
 * const headers = await signResponse(response, { key: privateKey, keyId: 'orders', algorithm: 'ed25519' });
 * ```
 */
export function signResponse(message: ResponseMessage, options: SignOptions): Promise<SignatureHeaders> {
  return signMessage(message, options);
}

async function signMessage(message: SignableMessage, options: SignOptions): Promise<SignatureHeaders> {
  assertObject('message', message);
  const path = isResponse(message) ? 'signResponse' : 'signRequest';
  const settings = underPath(path, () => signSettings(options));
  const { label, structuredFields, signer, parameters } = settings;
  const parsed = parseMessage(message, structuredFields);
  const withContent = hasContent(message, parsed.fields);
  const components = settings.components ?? defaultComponents(isResponse(message), withContent);
  const digest = digestToAdd(message, parsed, components, withContent);
  const parsedWithDigest =
    digest === undefined ? parsed : { ...parsed, fields: new Map([...parsed.fields, ['content-digest', [digest]]]) };
  const signatureParams = serializeSignatureParams(components, parameters);
  const base = signatureBase(components, signatureParams, parsedWithDigest);
  if (base.missing !== undefined)
    throw new OptionsError(`${path}.components`, base.missing.identifier, 'in the message, exactly once');
  const signature = await signer(base.bytes);
  const inputs = appendMember(parsed, 'signature-input', label, `${label}=${signatureParams}`);
  const signatures = appendMember(parsed, 'signature', label, serializeMember(label, [signature, new Map()]));
  return {
    ...(digest !== undefined && { 'content-digest': digest }),
    'signature-input': inputs,
    signature: signatures,
  };
}

/** The options, validated and with defaults. */
interface SignSettings {
  readonly label: string;
  readonly structuredFields: StructuredFields | undefined;
  readonly signer: (base: Buffer) => Uint8Array | Promise<Uint8Array>;
  readonly parameters: FieldParameters;
  readonly components: readonly Component[] | undefined;
}

/** @throws OptionsError */
export function signSettings(options: SignOptions): SignSettings {
  assertObject('options', options);
  assertKnownOptions('', options, OPTIONS);
  const { label = 'sig1', structuredFields } = options;
  if (typeof label !== 'string' || !LABEL.test(label)) throw new OptionsError('label', label, 'a key in lower case');
  assertStructuredFields(structuredFields);
  const signer = createSigner(options);
  const components = options.components && componentsFromOption('components', options.components);
  return { label, structuredFields, signer, parameters: parametersOf(options), components };
}

function createSigner({ key, algorithm }: SignOptions): SignSettings['signer'] {
  assertOneOf('algorithm', algorithm, SIGNING_ALGORITHMS);
  if (typeof key === 'function') return (base) => signWithFunction(key, base);
  const bound = bindKey(key, algorithm);
  if (typeof bound === 'string') throw new OptionsError('key', withheld(key), bound);
  if (!bound.signs) throw new OptionsError('key', withheld(key), 'a private key');
  return bound.sign;
}

/** Calls the user's function. Anything but bytes would be serialized as a structured field of another type. */
async function signWithFunction(
  sign: (base: Uint8Array) => Uint8Array | Promise<Uint8Array>,
  base: Buffer,
): Promise<Uint8Array> {
  const signature: unknown = await sign(base);
  if (signature instanceof Uint8Array && signature.byteLength > 0) return signature;
  throw new OptionsError('key()', withheld(signature), 'a signature: bytes (a Uint8Array)');
}

function parametersOf({ created, expires, keyId, nonce, tag, clock = systemClock }: SignOptions): FieldParameters {
  const parameters: FieldParameters = new Map();
  assertClock('clock', clock);
  const createdAt = created ?? Math.floor(clock.now() / 1_000);
  if (createdAt !== false) {
    assertInteger('created', createdAt, { min: 0 });
    parameters.set('created', createdAt);
  }
  const expiresAt = expires ?? (createdAt !== false && createdAt + LIFETIME_SECONDS);
  if (expiresAt !== false) {
    assertInteger('expires', expiresAt, { min: createdAt === false ? 0 : createdAt });
    parameters.set('expires', expiresAt);
  }
  assertPlain('keyId', keyId);
  parameters.set('keyid', keyId);
  const nonceValue = nonce ?? randomBytes(16).toString('base64url');
  if (nonceValue !== false) {
    assertPlain('nonce', nonceValue);
    parameters.set('nonce', nonceValue);
  }
  if (tag !== undefined) {
    assertPlain('tag', tag);
    parameters.set('tag', tag);
  }
  return parameters;
}

function assertPlain(path: string, value: unknown): asserts value is string {
  assertText(path, value);
  if (!/^[ -~]+$/.test(value)) throw new OptionsError(path, value, 'text in ASCII');
}

/** The `Content-Digest` to add. A message with a stream, whose bytes are not known yet, must have one already. */
function digestToAdd(
  message: SignableMessage,
  { fields }: ParsedMessage,
  components: readonly Component[],
  withContent: boolean,
): string | undefined {
  const isCovered = components.some(({ name, parameters }) => {
    return name === 'content-digest' && !parameters.has('req') && !parameters.has('tr');
  });
  if (!isCovered || fields.has('content-digest')) return undefined;
  if (withContent && message.body === undefined) {
    throw new OptionsError('components', 'content-digest', 'covered only with a body, or with a Content-Digest header');
  }
  return contentDigest(bytesOf(message.body));
}

function appendMember({ fields }: ParsedMessage, name: string, label: string, member: string): string {
  const before = (fields.get(name) ?? []).join(', ');
  if (before === '') return member;
  const known = parseStrictDictionary(before);
  if (known === undefined || known.has(label))
    throw new OptionsError('label', label, `one that ${name} does not have yet`);
  return `${before}, ${member}`;
}
