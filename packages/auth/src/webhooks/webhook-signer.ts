import { randomUUID } from 'node:crypto';
import {
  assertClock,
  assertKnownOptions,
  assertNumber,
  assertObject,
  type Clock,
  OptionsError,
  systemClock,
  withheld,
  underPath,
} from '@macadam/core';
import { rawBodyBytes } from '../raw-body.ts';
import { parseSecret, type WebhookSecret } from './secret.ts';
import { ID_HEADER, isMessageId, SIGNATURE_HEADER, signedContent, TIMESTAMP_HEADER } from './signed-content.ts';

/** The verifier accepts timestamps of up to twelve digits, in seconds. */
const MAX_TIMESTAMP_MS = 999_999_999_999_000;

/** Options of {@link webhookSigner}. */
export interface WebhookSignerOptions {
  /** `whsec_…` or `whsk_…`. Each of them signs: pass the old and the new one while a secret is rotated. */
  secrets: readonly WebhookSecret[];
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Options of one message. */
export interface SignWebhookOptions {
  /** Id of the message, the same for every delivery of it. Visible ASCII without full stops. Default: a random one. */
  id?: string;
  /** When it is sent, in epoch milliseconds; truncated to seconds. Default: now. */
  timestampMs?: number;
}

/** The header fields of a signed message. */
export interface WebhookHeaders extends Record<string, string> {
  /** The id of the message. */
  'webhook-id': string;
  /** When it was sent, in epoch seconds. */
  'webhook-timestamp': string;
  /** The signatures, separated by spaces. */
  'webhook-signature': string;
}

/** Signs webhooks. Created by {@link webhookSigner}. */
export interface WebhookSigner {
  /** Returns the header fields to send with `rawBody`, of which exactly these bytes must be sent. */
  sign(rawBody: string | Uint8Array, options?: SignWebhookOptions): WebhookHeaders;
}

/**
 * Creates a signer of webhooks ([Standard Webhooks](https://www.standardwebhooks.com), `v1` and `v1a`).
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), which never shows a secret.
 * @example
 * ```ts
 * import { webhookSigner } from '@macadam/auth';
 *
 * const signer = webhookSigner({ secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'] });
 * const body = JSON.stringify({ type: 'invoice.paid' });
 * const headers = signer.sign(body, { id: 'msg_1' });
 * ```
 */
export function webhookSigner(options: WebhookSignerOptions): WebhookSigner {
  assertObject('webhookSigner', options);
  return underPath('webhookSigner', () => makeWebhookSigner(options));
}

function makeWebhookSigner(options: WebhookSignerOptions): WebhookSigner {
  assertKnownOptions('', options, ['secrets', 'clock']);
  const { secrets, clock = systemClock } = options;
  assertClock('clock', clock);
  if (!Array.isArray(secrets) || secrets.length === 0) {
    throw new OptionsError('secrets', withheld(secrets), 'a list of secrets that is not empty');
  }
  const keys = secrets.map((secret: WebhookSecret, index) => {
    const { scheme, sign } = parseSecret(`secrets[${index}]`, secret);
    if (sign === undefined)
      throw new OptionsError(
        `secrets[${index}]`,
        withheld(secret),
        'a secret that can sign: a whpk_ key only verifies',
      );
    return { scheme, sign };
  });
  return {
    sign(rawBody, { id = `msg_${randomUUID()}`, timestampMs = clock.now() } = {}) {
      if (!isMessageId(id)) throw new OptionsError('id', id, 'visible ASCII without full stops');
      assertNumber('timestampMs', timestampMs, { min: 1_000, max: MAX_TIMESTAMP_MS });
      const timestamp = String(Math.floor(timestampMs / 1_000));
      const content = signedContent(id, timestamp, rawBodyBytes('rawBody', rawBody));
      const signatures = keys.map(({ scheme, sign }) => `${scheme},${sign(content).toString('base64')}`);
      return { [ID_HEADER]: id, [TIMESTAMP_HEADER]: timestamp, [SIGNATURE_HEADER]: signatures.join(' ') };
    },
  };
}
