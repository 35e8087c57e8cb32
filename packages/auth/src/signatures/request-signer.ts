import { assertObject, OptionsError, underPath } from '@macadam/core';
import type { RequestMessage } from './message.ts';
import { type SignatureHeaders, type SignOptions, signRequest, signSettings } from './sign.ts';

/** Options of {@link requestSigner}: those of `signRequest` but for what must be new for each request. */
export type RequestSignerOptions = Omit<SignOptions, 'created' | 'expires' | 'nonce'>;

/** Signs the requests of a client: the `auth` option of `createHttpClient`. Created by {@link requestSigner}. */
export interface RequestSigner {
  /** Returns the header fields for one attempt, with a time and nonce of its own. */
  authorize(request: RequestMessage): Promise<SignatureHeaders>;
}

/**
 * Signs every request of a client. Each attempt and each redirect gets a signature of its own.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`), also for options that belong to one request. Never shows a key.
 * @example
 * ```ts
 * import { requestSigner } from '@macadam/auth';
 * import { createHttpClient } from '@macadam/http';
 * import { generateKeyPairSync } from 'node:crypto';
 *
 * const { privateKey } = generateKeyPairSync('ed25519');
 * const auth = requestSigner({ key: privateKey, keyId: 'shop-1', algorithm: 'ed25519' });
 * const orders = createHttpClient({ name: 'orders', baseUrl: 'https://orders.example.com', auth });
 * await orders.close();
 * ```
 */
export function requestSigner(options: RequestSignerOptions): RequestSigner {
  assertObject('requestSigner', options);
  return underPath('requestSigner', () => makeRequestSigner(options));
}

function makeRequestSigner(options: RequestSignerOptions): RequestSigner {
  for (const name of ['created', 'expires', 'nonce'] as const) {
    if (name in options)
      throw new OptionsError(name, options[name as keyof typeof options], 'left out: each request gets a new one');
  }
  // Validates the options now instead of with the first request.
  signSettings(options);
  return { authorize: (request) => signRequest(request, options) };
}
