import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  type Clock,
  OptionsError,
  systemClock,
  withheld,
  underPath,
} from '@macadam/core';
import { SignatureError } from '../errors.ts';
import { rejectReplay, type SeenBefore } from '../replay.ts';
import { type IncomingHeaders, readSingleHeader } from '../incoming-headers.ts';
import { rawBodyBytes } from '../raw-body.ts';
import { parseSecret, type WebhookKey, type WebhookSecret } from './secret.ts';
import { ID_HEADER, isMessageId, SIGNATURE_HEADER, signedContent, TIMESTAMP_HEADER } from './signed-content.ts';

/** Options of {@link webhookVerifier}. */
export interface WebhookVerifierOptions {
  /** `whsec_…` or `whpk_…`. One that matches is enough: pass the old and the new one while a secret is rotated. */
  secrets: readonly WebhookSecret[];
  /** Maximum difference between the time of a message and now, either way, in milliseconds. Default: 300_000. */
  toleranceMs?: number;
  /** Returns whether an id was seen before. Default: messages can be replayed within the tolerance. */
  seen?: SeenBefore;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** An accepted message. Parsing the body is up to you. */
export interface VerifiedWebhook {
  /** The id of the message, for deduplication. */
  readonly id: string;
  /** When it was sent, in epoch milliseconds. */
  readonly timestampMs: number;
}

/** Verifies webhooks. Created by {@link webhookVerifier}. */
export interface WebhookVerifier {
  /**
   * Verifies a message. Pass the body exactly as it was received, before anything has parsed it.
   * @throws SignatureError (`MAC_SIGNATURE_INVALID`)
   */
  verify(headers: IncomingHeaders, rawBody: string | Uint8Array): Promise<VerifiedWebhook>;
}

/** More than any rotation needs. Each signature is verified with each key of its scheme. */
const MAX_SIGNATURES = 32;

/**
 * Creates a verifier of webhooks ([Standard Webhooks](https://www.standardwebhooks.com), `v1` and `v1a`).
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) which never shows a secret
 * @example
 * ```ts
 * import { webhookSigner, webhookVerifier } from '@macadam/auth';
 * import { randomBytes } from 'node:crypto';
 *
 * const secrets = [randomBytes(32)];
 * const body = '{"event":"order.placed"}';
 * await webhookVerifier({ secrets }).verify(webhookSigner({ secrets }).sign(body), body);
 * ```
 */
export function webhookVerifier(options: WebhookVerifierOptions): WebhookVerifier {
  assertObject('webhookVerifier', options);
  return underPath('webhookVerifier', () => makeWebhookVerifier(options));
}

function makeWebhookVerifier(options: WebhookVerifierOptions): WebhookVerifier {
  assertKnownOptions('', options, ['secrets', 'toleranceMs', 'seen', 'clock']);
  const { secrets, toleranceMs = 300_000, seen, clock = systemClock } = options;
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets', withheld(secrets), 'a list of secrets that is not empty');
  }
  assertDurationMs('toleranceMs', toleranceMs);
  if (seen !== undefined) assertFunction('seen', seen);
  assertClock('clock', clock);
  const keys = secrets.map((secret: WebhookSecret, at) => parseSecret(`secrets[${at}]`, secret));
  return {
    async verify(headers, rawBody) {
      assertObject('headers', headers);
      const id = headerOf(headers, ID_HEADER);
      const timestamp = headerOf(headers, TIMESTAMP_HEADER);
      const signatures = headerOf(headers, SIGNATURE_HEADER);
      if (!isMessageId(id)) throw new SignatureError('malformed', { header: ID_HEADER });
      const timestampMs = parseTimestamp(timestamp);
      const content = signedContent(id, timestamp, rawBodyBytes('rawBody', rawBody));
      if (!anySignatureMatches(keys, content, signatures))
        throw new SignatureError('signature', { header: SIGNATURE_HEADER });
      const ageMs = clock.now() - timestampMs;
      if (!(ageMs <= toleranceMs)) throw new SignatureError('tooOld', { header: TIMESTAMP_HEADER });
      if (!(ageMs >= -toleranceMs)) throw new SignatureError('tooNew', { header: TIMESTAMP_HEADER });
      // Twice the tolerance: a message with a timestamp in the future is valid for that long, and in the millisecond after.
      if (seen !== undefined) await rejectReplay(seen, id, toleranceMs * 2 + 1, ID_HEADER, clock);
      return Object.freeze({ id, timestampMs });
    },
  };
}

function headerOf(headers: IncomingHeaders, name: string): string {
  const field = readSingleHeader(headers, name);
  if (field.problem !== undefined) throw new SignatureError(field.problem, { header: name });
  return field.value;
}

/** Whole seconds in plain digits. `Number` and `parseInt` also accept `1e9`, ` 12 ` or `12abc`. */
function parseTimestamp(text: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text)) throw new SignatureError('malformed', { header: TIMESTAMP_HEADER });
  return Number(text) * 1_000;
}

function anySignatureMatches(keys: readonly WebhookKey[], content: Buffer, header: string): boolean {
  const signatures = header.split(' ');
  if (signatures.length > MAX_SIGNATURES) throw new SignatureError('malformed', { header: SIGNATURE_HEADER });
  const verifiers = keys.map(({ scheme, verifierOf }) => ({ scheme, verify: verifierOf(content) }));
  return signatures.some((one) => {
    const comma = one.indexOf(',');
    const text = one.slice(comma + 1);
    const signature = Buffer.from(text, 'base64');
    if (signature.toString('base64') !== text) return false;
    // A signature of an unknown scheme matches no key and is skipped: senders may add newer schemes.
    return verifiers.some(({ scheme, verify }) => scheme === one.slice(0, comma) && verify(signature));
  });
}
