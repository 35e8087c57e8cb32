import { OptionsError, withheld } from '@macadam/core';
import { assertTokenSource, type TokenSource } from './token-client.ts';

/** The attempt that a token is for. */
export interface BearerContext {
  /** Stops waiting for a token. */
  readonly signal: AbortSignal;
}

/** Header fields that authorize a request. */
export type BearerHeaders = Readonly<Record<string, string>>;

/** Sends tokens: the `auth` option of `createHttpClient` of `@macadam/http`. Created by {@link bearer}. */
export interface BearerAuth {
  /** Returns the header fields for one attempt; without a promise when a token is available. */
  authorize(request?: unknown, context?: BearerContext): BearerHeaders | Promise<BearerHeaders>;
  /** Gives up the token that a server rejected. */
  invalidate?(rejected: BearerHeaders): void;
}

/**
 * Sends tokens with requests: `Authorization: Bearer …` (RFC 6750). A 401 gives up the token that it was for, and no
 * later one; the request is then sent once more with a new token.
 *
 * @param tokens - what `clientCredentials` and its like make; or one fixed token, for which a 401 is final.
 * @throws OptionsError (`MAC_INVALID_OPTIONS`).
 * @example
 * ```ts
 * import { bearer, clientCredentials } from '@macadam/auth';
 * import { createHttpClient } from '@macadam/http';
 *
 * const tokens = clientCredentials({
 *   tokenUrl: 'https://id.example.com/token',
 *   clientId: 'orders',
 *   clientSecret: 'a secret',
 * });
 * const billing = createHttpClient({ name: 'billing', baseUrl: 'https://billing.example.com', auth: bearer(tokens) });
 * await billing.close();
 * await tokens.close();
 * ```
 */
export function bearer(tokens: TokenSource | string): BearerAuth {
  if (typeof tokens === 'string') {
    assertToken('bearer.tokens', tokens);
    const headers = headersOf(tokens);
    return { authorize: () => headers };
  }
  assertTokenSource('bearer.tokens', tokens);
  return new Bearer(tokens);
}

class Bearer implements BearerAuth {
  readonly #tokens: TokenSource;
  #token: string | undefined;
  #headers: BearerHeaders = {};

  constructor(tokens: TokenSource) {
    this.#tokens = tokens;
  }

  authorize(_request?: unknown, context?: BearerContext): BearerHeaders | Promise<BearerHeaders> {
    const token = this.#tokens.peekToken();
    if (token !== undefined) return this.#headersFor(token);
    return this.#tokens.getToken({ signal: context?.signal }).then((newToken) => this.#headersFor(newToken));
  }

  invalidate(rejected: BearerHeaders): void {
    const token = /^Bearer (.+)$/.exec(rejected['authorization'] ?? '')?.[1];
    if (token !== undefined) this.#tokens.invalidate(token);
  }

  /** Returns the same frozen object as long as the token is the same, so that most requests allocate nothing. */
  #headersFor(token: string): BearerHeaders {
    if (token !== this.#token) {
      assertToken('bearer.tokens.getToken()', token);
      this.#headers = headersOf(token);
      this.#token = token;
    }
    return this.#headers;
  }
}

/**
 * Rejects a token that is not valid in a header field: `fetch` would reject it too, and quote it in its error.
 * @throws OptionsError, which does not contain the token
 */
export function assertToken(path: string, token: unknown): asserts token is string {
  if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token)) return;
  throw new OptionsError(path, withheld(token), 'a token without spaces');
}

function headersOf(token: string): BearerHeaders {
  return Object.freeze({ authorization: `Bearer ${token}` });
}
