import { OptionsError, withheld } from '@macadam/core';
import { assertToken, type BearerContext, type BearerHeaders } from '../tokens/bearer.ts';
import { assertTokenSource, type TokenSource } from '../tokens/token-client.ts';
import { type DpopKey, isDpopKey } from './dpop-key.ts';

/** The request that a proof is created for. */
export interface DpopRequest {
  /** The method. */
  readonly method: string;
  /** The whole URL. */
  readonly url: string;
}

/** The part of a response that is used. */
export interface DpopResponse {
  /** The status code. */
  readonly status: number;
  /** The origin of the server. */
  readonly origin: string;
  /** The header fields. */
  readonly headers: {
    /** Returns a field by its name in lower case. */
    get(name: string): string | null | undefined;
  };
}

/** Sends bound tokens: the `auth` option of `createHttpClient` of `@macadam/http`. Created by {@link dpop}. */
export interface DpopAuth {
  /** Returns the header fields for one request. */
  authorize(request: DpopRequest, context?: BearerContext): Promise<BearerHeaders>;
  /** Learns the nonce of a response. */
  received(sent: BearerHeaders, answer: DpopResponse): void;
  /** Gives up the token that a server rejected. */
  invalidate(rejected: BearerHeaders): void;
}

/**
 * Sends bound tokens, each request with a proof of its own (RFC 9449). The nonce of a server is taken from every
 * response. When a server requires a nonce, the request is sent once more, and only once; the token is kept, since it
 * was not rejected.
 *
 * @param tokens - a token client with `dpop: key`
 * @throws OptionsError (`MAC_INVALID_OPTIONS`).
 * @example
 * ```ts
 * import { clientCredentials, createDpopKey, dpop } from '@macadam/auth';
 * import { createHttpClient } from '@macadam/http';
 *
 * const key = createDpopKey();
 * const client = { tokenUrl: 'https://id.example.com/token', clientId: 'orders', clientSecret: 'a secret' };
 * const tokens = clientCredentials({ ...client, dpop: key });
 * const billing = createHttpClient({
 *   name: 'billing',
 *   baseUrl: 'https://billing.example.com',
 *   auth: dpop(tokens, key),
 * });
 * await billing.close();
 * await tokens.close();
 * ```
 */
export function dpop(tokens: TokenSource, key: DpopKey): DpopAuth {
  assertTokenSource('dpop.tokens', tokens);
  if (!isDpopKey(key)) throw new OptionsError('dpop.key', withheld(key), 'a key of createDpopKey()');
  /** Header fields of requests that were rejected only because the server requires a nonce. Their tokens are kept. */
  const challenged = new WeakSet<BearerHeaders>();
  return {
    async authorize({ method, url }, context) {
      const token = tokens.peekToken() ?? (await tokens.getToken({ signal: context?.signal }));
      assertToken('dpop.tokens.getToken()', token);
      const proof = await key.proof({ method, url, accessToken: token });
      return { authorization: `DPoP ${token}`, dpop: proof };
    },
    received(sent, { status, origin, headers }) {
      key.learn(origin, headers.get('dpop-nonce'));
      // RFC 9449 section 9: the request is valid except for the nonce.
      if (status === 401 && requiresNonce(headers.get('www-authenticate') ?? '')) challenged.add(sent);
    },
    invalidate(rejected) {
      if (challenged.has(rejected)) return;
      const token = /^DPoP (.+)$/.exec(rejected['authorization'] ?? '')?.[1];
      if (token !== undefined) tokens.invalidate(token);
    },
  };
}

/** Whether one of the challenges (RFC 9110 section 11.6.1: of all schemes, as one list) is that of DPoP for a nonce. */
function requiresNonce(challenges: string): boolean {
  // A quoted text may contain commas and look like a challenge. Only that of a token matters.
  const plain = challenges.replaceAll(/"((?:[^"\\]|\\.)*)(?:"|\\?$)/g, (_, text: string) =>
    /^\w+$/.test(text) ? text : '',
  );
  let scheme = '';
  return plain.split(',').some((part) => {
    // A scheme, alone or before its first parameter; otherwise a further parameter of the scheme before.
    const start = /^\s*([^\s=]+)(?:\s+([^\s=].*)|\s*)$/.exec(part);
    if (start !== null) scheme = start[1]!.toLowerCase();
    const parameter = start === null ? part : (start[2] ?? '');
    return scheme === 'dpop' && /^\s*error\s*=\s*use_dpop_nonce\s*$/i.test(parameter);
  });
}
