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
import { refuseReplay, type SeenBefore } from '../replay.ts';
import { readSecret, type WebhookKey, type WebhookSecret } from './secret.ts';
import {
  bodyBytes,
  ID_HEADER,
  isMessageId,
  SIGNATURE_HEADER,
  signedContent,
  TIMESTAMP_HEADER,
} from './signed-content.ts';

/** Options of {@link webhookVerifier}. */
export interface WebhookVerifierOptions {
  /** `whsec_…` or `whpk_…`. One that matches is enough: pass the old and the new one while a secret is rotated. */
  secrets: readonly WebhookSecret[];
  /** Maximum difference between the time of a message and now, either way, in milliseconds. Default: 300_000. */
  toleranceMs?: number;
  /** Tells whether an id was seen before. Default: messages can be replayed within the tolerance. */
  seen?: SeenBefore;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Header fields as Node, Fastify and Express have them, as `headersDistinct` of Node, or a `Headers`. */
export type IncomingHeaders =
  { get(name: string): string | null } | Readonly<Record<string, string | readonly string[] | undefined>>;

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

/** More than any rotation needs; each costs a comparison. */
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
  const keys = secrets.map((secret: WebhookSecret, at) => readSecret(`secrets[${at}]`, secret));
  return {
    async verify(headers, rawBody) {
      assertObject('headers', headers);
      const id = headerOf(headers, ID_HEADER);
      const timestamp = headerOf(headers, TIMESTAMP_HEADER);
      const signatures = headerOf(headers, SIGNATURE_HEADER);
      if (!isMessageId(id)) throw new SignatureError('malformed', { header: ID_HEADER });
      const timestampMs = readTimestamp(timestamp);
      const content = signedContent(id, timestamp, bodyBytes(rawBody));
      if (!anyFits(keys, content, signatures)) throw new SignatureError('signature', { header: SIGNATURE_HEADER });
      const ageMs = clock.now() - timestampMs;
      if (!(ageMs <= toleranceMs)) throw new SignatureError('tooOld', { header: TIMESTAMP_HEADER });
      if (!(ageMs >= -toleranceMs)) throw new SignatureError('tooNew', { header: TIMESTAMP_HEADER });
      // A message is good until its time is over, and the clock may have been ahead when it was noted.
      if (seen !== undefined) await refuseReplay(seen, id, toleranceMs * 2, ID_HEADER, clock);
      return Object.freeze({ id, timestampMs });
    },
  };
}

function headerOf(headers: IncomingHeaders, name: string): string {
  const found = isFetchHeaders(headers) ? headers.get(name) : headers[name];
  // One line is what it says, however it comes; of several nobody knows which was signed.
  const value: unknown = Array.isArray(found) && found.length === 1 ? found[0] : found;
  if (value === undefined || value === null || value === '') throw new SignatureError('missing', { header: name });
  if (typeof value !== 'string') throw new SignatureError('malformed', { header: name });
  return value;
}

function isFetchHeaders(headers: IncomingHeaders): headers is { get(name: string): string | null } {
  return typeof headers['get' as keyof IncomingHeaders] === 'function';
}

/** Whole seconds in plain digits: number parsers also take `1e9`, ` 12 ` and `12abc`. */
function readTimestamp(text: string): number {
  if (!/^[1-9]\d{0,11}$/.test(text)) throw new SignatureError('malformed', { header: TIMESTAMP_HEADER });
  return Number(text) * 1_000;
}

function anyFits(keys: readonly WebhookKey[], content: Buffer, header: string): boolean {
  const signatures = header.split(' ');
  if (signatures.length > MAX_SIGNATURES) throw new SignatureError('malformed', { header: SIGNATURE_HEADER });
  return signatures.some((one) => {
    const comma = one.indexOf(',');
    const text = one.slice(comma + 1);
    const signature = Buffer.from(text, 'base64');
    if (signature.toString('base64') !== text) return false;
    // Versions that are not known are passed over: a sender may be ahead of us.
    return keys.some(({ scheme, verify }) => scheme === one.slice(0, comma) && verify(content, signature));
  });
}
