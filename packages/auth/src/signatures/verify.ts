// Verifies signatures in the order of RFC 9421 section 3.2, cheap checks first: form, coverage and times, then the key, the
// signature and the content digest. The replay store is called last, and only for messages that are valid otherwise. There,
// a message is used up with all of its valid signatures: each could be sent again without the others.
import { assertObject, OptionsError, underPath, withheld } from '@macadam/core';
import { annotateAuth } from '../annotate-auth.ts';
import { SignatureError } from '../errors.ts';
import { CALLBACK_TIMEOUT_MS, settleCallback } from '../with-timeout.ts';
import { rejectReplay, type SeenBefore } from '../replay.ts';
import { bindKey, type BoundKey, type SignatureAlgorithm, SIGNATURE_ALGORITHMS } from './algorithms.ts';
import { type Component, defaultComponents } from './component.ts';
import { parseMessage, type ParsedMessage } from './component-value.ts';
import { digestMatches } from './digest.ts';
import {
  bytesOf,
  hasContent,
  isResponse,
  type RequestMessage,
  type ResponseMessage,
  type SignableMessage,
} from './message.ts';
import { type ReceivedSignature, receivedSignatures } from './received-signature.ts';
import { signatureBase } from './signature-base.ts';
import { type VerifySettings, verifySettings, type VerifySignatureOptions } from './verify-options.ts';

/** An accepted signature. Trust only what is among `components`. */
export interface VerifiedSignature {
  /** The label of the signature. */
  readonly label: string;
  /** The key that signed it. */
  readonly keyId: string;
  /** The algorithm of the key. */
  readonly algorithm: SignatureAlgorithm;
  /** The signed components, as the signature names them: `"@method"`, `"content-digest"` … */
  readonly components: readonly string[];
  /** When it was signed, in epoch milliseconds, if it says so. */
  readonly createdAtMs: number | undefined;
  /** When it expires, in epoch milliseconds, if it says so. */
  readonly expiresAtMs: number | undefined;
  /** Its nonce, if it has one. */
  readonly nonce: string | undefined;
  /** Its tag, if it has one. */
  readonly tag: string | undefined;
}

/**
 * Verifies the signature of a request (RFC 9421). Of several signatures, the first valid one that covers the required
 * components is accepted. Where `Content-Digest` or `Repr-Digest` (RFC 9530) is signed, the content is compared with
 * it.
 *
 * @throws SignatureError (`MAC_SIGNATURE_INVALID`), OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { signRequest, verifyRequest } from '@macadam/auth';
 * import { generateKeyPairSync } from 'node:crypto';
 *
 * const { privateKey, publicKey } = generateKeyPairSync('ed25519');
 * const request = { method: 'GET', url: 'https://orders.example.com/orders', headers: {} };
 * const headers = await signRequest(request, { key: privateKey, keyId: 'shop-1', algorithm: 'ed25519' });
 * const resolveKey = () => ({ key: publicKey, algorithm: 'ed25519' }) as const;
 * const { keyId } = await verifyRequest({ ...request, headers }, { resolveKey });
 * if (keyId !== 'shop-1') throw new Error('unexpected');
 * ```
 */
export function verifyRequest(message: RequestMessage, options: VerifySignatureOptions): Promise<VerifiedSignature> {
  return verifyMessage(message, options);
}

/**
 * Verifies the signature of a response, as {@link verifyRequest} does. To make sure that it responds to your request,
 * pass the `request` and require components such as `@method;req`.
 *
 * @throws SignatureError (`MAC_SIGNATURE_INVALID`), OptionsError (`MAC_INVALID_OPTIONS`)
 * @example
 * ```ts
 * import { signResponse, verifyResponse } from '@macadam/auth';
 * import { randomBytes } from 'node:crypto';
 *
 * const key = randomBytes(32);
 * const response = { status: 200, headers: {}, body: 'hello' };
 * const headers = await signResponse(response, { key, keyId: 'orders', algorithm: 'hmac-sha256' });
 * const resolveKey = () => ({ key, algorithm: 'hmac-sha256' }) as const;
 * await verifyResponse({ ...response, headers }, { resolveKey });
 * ```
 */
export function verifyResponse(message: ResponseMessage, options: VerifySignatureOptions): Promise<VerifiedSignature> {
  return verifyMessage(message, options);
}

async function verifyMessage(message: SignableMessage, options: VerifySignatureOptions): Promise<VerifiedSignature> {
  assertObject('message', message);
  const path = isResponse(message) ? 'verifyResponse' : 'verifyRequest';
  const settings = underPath(path, () => verifySettings(options));
  const parsed = parseMessage(message, settings.structuredFields);
  const required = settings.required ?? defaultComponents(isResponse(message), hasContent(message, parsed.fields));
  const giveUpAt = settings.clock.monotonic() + CALLBACK_TIMEOUT_MS;
  const verified: VerifiedSignature[] = [];
  let rejection: SignatureError | undefined;
  for (const unparsed of receivedSignatures(parsed)) {
    if (settings.label !== undefined && settings.label !== unparsed.label) continue;
    try {
      const received = unparsed.parse();
      if (settings.tag !== undefined && settings.tag !== received.tag) continue;
      verified.push(await verifySignature(received, parsed, required, settings, giveUpAt));
      if (settings.seen === undefined) break;
    } catch (error) {
      if (!(error instanceof SignatureError)) throw error;
      // Of several rejections a retryable one is reported: the message may be accepted when it is sent again.
      if (rejection === undefined || (error.retryable && !rejection.retryable)) rejection = error;
    }
  }
  const [accepted] = verified;
  // A signature that could not be judged may be valid, and its nonce would be missing in the replay store.
  if (accepted === undefined || (settings.seen !== undefined && rejection?.retryable === true)) {
    throw rejection ?? new SignatureError('parameter', { header: settings.tag === undefined ? 'label' : 'tag' });
  }
  if (settings.seen !== undefined) await rejectReplays(settings.seen, verified, settings);
  annotateAuth('http_signature', { keyId: accepted.keyId });
  return accepted;
}

async function verifySignature(
  received: ReceivedSignature,
  parsed: ParsedMessage,
  required: readonly Component[],
  settings: VerifySettings,
  giveUpAt: number,
): Promise<VerifiedSignature> {
  const { components, signatureParams, createdAtMs, expiresAtMs, keyId, nonce, tag, label, signature } = received;
  const isCovered = (wanted: Component): boolean =>
    components.some(({ normalizedIdentifier }) => normalizedIdentifier === wanted.normalizedIdentifier);
  const missingComponent = required.find((component) => !isCovered(component));
  if (missingComponent !== undefined) throw new SignatureError('notCovered', { header: missingComponent.identifier });
  if (keyId === undefined) throw new SignatureError('parameter', { header: 'keyid' });
  if (settings.seen !== undefined && nonce === undefined) throw new SignatureError('parameter', { header: 'nonce' });
  checkTimes(received, settings);

  const { key, algorithm } = await resolveKey(received, keyId, settings, giveUpAt);
  const base = signatureBase(components, signatureParams, parsed);
  if (base.missing !== undefined) throw new SignatureError('component', { header: base.missing.identifier });
  if (!key.verify(base.bytes, signature)) throw new SignatureError('signature', { header: 'signature' });
  // Checked again, since the lookup of the key may have taken a while.
  checkTimes(received, settings);
  checkDigests(components, parsed);
  return Object.freeze({
    label,
    keyId,
    algorithm,
    components: Object.freeze(components.map(({ identifier }) => identifier)),
    createdAtMs,
    expiresAtMs,
    nonce,
    tag,
  });
}

/** Records the nonces of all signatures, even if one was seen before. */
async function rejectReplays(
  seen: SeenBefore,
  verified: readonly VerifiedSignature[],
  settings: VerifySettings,
): Promise<void> {
  const { clock, clockToleranceMs, maxAgeMs } = settings;
  // By id: a sender may use one nonce for several signatures of a message.
  const keepMsById = new Map<string, number>();
  for (const one of verified) {
    // Again: the lookups of the keys of later signatures may have taken a while, too.
    checkTimes(one, settings);
    const { keyId, nonce, expiresAtMs = Infinity } = one;
    const id = JSON.stringify([keyId, nonce]);
    // Longer than the message is valid by 1 ms, since it is valid in the last one, too.
    const keepMs = Math.min(maxAgeMs, expiresAtMs - clock.now()) + 2 * clockToleranceMs + 1;
    keepMsById.set(id, Math.max(keepMs, keepMsById.get(id) ?? 0));
  }
  await Promise.all([...keepMsById].map(([id, keepMs]) => rejectReplay(seen, id, keepMs, 'nonce', clock)));
}

function checkTimes(
  { createdAtMs, expiresAtMs }: Pick<ReceivedSignature, 'createdAtMs' | 'expiresAtMs'>,
  { clock, clockToleranceMs: tolerance, maxAgeMs }: VerifySettings,
): void {
  const now = clock.now();
  if (createdAtMs === undefined && maxAgeMs !== Infinity) throw new SignatureError('parameter', { header: 'created' });
  if (createdAtMs !== undefined && !(now >= createdAtMs - tolerance))
    throw new SignatureError('tooNew', { header: 'created' });
  if (createdAtMs !== undefined && !(now <= createdAtMs + maxAgeMs + tolerance))
    throw new SignatureError('tooOld', { header: 'created' });
  if (expiresAtMs !== undefined && !(now < expiresAtMs + tolerance))
    throw new SignatureError('expired', { header: 'expires' });
}

async function resolveKey(
  received: ReceivedSignature,
  keyId: string,
  { clock, resolveKey: resolve }: VerifySettings,
  giveUpAt: number,
): Promise<{ key: BoundKey; algorithm: SignatureAlgorithm }> {
  let resolved;
  try {
    resolved = await settleCallback(resolve(keyId), clock, Math.max(0, Math.ceil(giveUpAt - clock.monotonic())));
  } catch (cause) {
    throw new SignatureError('keyUnavailable', { header: 'keyid', cause });
  }
  if (resolved === undefined || resolved === null) throw new SignatureError('keyUnknown', { header: 'keyid' });
  const { key, algorithm } = resolved;
  if (!SIGNATURE_ALGORITHMS.includes(algorithm)) {
    throw new OptionsError('resolveKey().algorithm', algorithm, `one of ${SIGNATURE_ALGORITHMS.join(', ')}`);
  }
  if (received.algorithm !== undefined && received.algorithm !== algorithm) {
    throw new SignatureError('algorithm', { header: 'alg' });
  }
  const bound = bindKey(key, algorithm);
  if (typeof bound === 'string') throw new OptionsError('resolveKey().key', withheld(key), bound);
  return { key: bound, algorithm };
}

/**
 * Compares the signed digests with the content. A digest with `;req` belongs to the request of a response; the content of
 * the request is not part of this message.
 */
function checkDigests(components: readonly Component[], parsed: ParsedMessage): void {
  const compared = new Set<readonly string[]>();
  for (const { name, parameters } of components) {
    if ((name !== 'content-digest' && name !== 'repr-digest') || parameters.has('req')) continue;
    const lines = (parameters.has('tr') ? parsed.trailers : parsed.fields).get(name) ?? [];
    // Each field once: dozens of components can name members of it, and the content may be long.
    if (compared.has(lines)) continue;
    compared.add(lines);
    if (!contentMatches(name, lines.join(', '), parsed)) throw new SignatureError('digest', { header: name });
  }
}

function contentMatches(name: 'content-digest' | 'repr-digest', digest: string, parsed: ParsedMessage): boolean {
  const { body, representation } = parsed.message;
  if (name === 'content-digest') return digestMatches(digest, bytesOf(body));
  const content = representation ?? (isWholeRepresentation(parsed) ? body : undefined);
  return content !== undefined && digestMatches(digest, bytesOf(content));
}

/**
 * Whether the content is the whole representation, which `Repr-Digest` is about (RFC 9530 section 3): not encoded, not
 * partial, not omitted.
 */
function isWholeRepresentation({ message, fields, request }: ParsedMessage): boolean {
  const encodings = (fields.get('content-encoding') ?? []).join(',');
  if (encodings !== '' && encodings.trim().toLowerCase() !== 'identity') return false;
  if (!isResponse(message)) return !fields.has('content-range');
  const isHeadResponse = request !== undefined && !isResponse(request.message) && request.message.method === 'HEAD';
  return message.status !== 206 && message.status !== 304 && !isHeadResponse;
}
