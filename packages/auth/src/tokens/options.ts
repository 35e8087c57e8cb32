import type { Clock, Random } from '@macadam/core';
import type { DpopKey } from '../dpop/dpop-key.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { PrivateKeyOptions } from './private-key.ts';

/** Text that is at hand, or found out each time it is needed: a secret that is rotated, a token in a file. */
export type Provided = string | (() => string | Promise<string>);

/**
 * How a client says who it is (RFC 6749 section 2.3). `basic` and `client_secret_post` send the secret; `mtls` leaves it to the
 * certificate that `fetch` presents (RFC 8705); `none` is for public clients.
 */
export type ClientAuthMethod = 'client_secret_basic' | 'client_secret_post' | 'tls_client_auth' | 'none';

/** An endpoint of an authorization server, and who asks it. */
export interface OAuthClientOptions {
  /** The name under which the authorization server knows this client. */
  clientId: string;
  /** Sent by HTTP Basic unless `clientAuth` is `client_secret_post`. A function is asked before each request. */
  clientSecret?: Provided;
  /** Signs an assertion for each request (`private_key_jwt`, RFC 7523). Instead of `clientSecret`. */
  privateKey?: PrivateKeyOptions;
  /** Default: `basic` with a secret. Must be given where there is neither secret nor key. */
  clientAuth?: ClientAuthMethod;
  /** The `aud` of assertions. Default: the URL of the endpoint; some servers want their issuer. */
  assertionAudience?: string;
  /** Default: the global `fetch`. Any function of its shape does, such as `fetch` of a client of `@macadam/http`. */
  fetch?: FetchLike;
  /** How long one request may take, in milliseconds. Default: 5_000. */
  timeoutMs?: number;
  /** Further parameters of the request's body, for what a server wants beyond the standard: none that the standard has. */
  parameters?: Readonly<Record<string, string>>;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

/** What every kind of token client takes. */
export interface TokenClientOptions extends OAuthClientOptions {
  /** `https`, except on loopback. */
  tokenUrl: string;
  /** What its metrics are under. Default: the host of `tokenUrl`. */
  name?: string;
  /** Default: what the server gives without being asked. */
  scope?: string | readonly string[];
  /** Whom the token is for, as RFC 8693 and several servers name it. */
  audience?: string | readonly string[];
  /** Whom the token is for, as an absolute URI (RFC 8707). */
  resource?: string | readonly string[];
  /**
   * A token is given out without waiting for another only while it lives this long: your request's time limit and 10
   * seconds for clocks that differ. Default: 30_000; at least 10_000.
   */
  minRemainingMs?: number;
  /** Binds tokens to a key (RFC 9449). Send them with `dpop()` then, and not with `bearer()`. */
  dpop?: DpopKey;
  /** Spreads refreshes. Default: the random source of the machine. */
  random?: Random;
}

export const OAUTH_CLIENT_OPTIONS: readonly string[] = [
  'clientId',
  'clientSecret',
  'privateKey',
  'clientAuth',
  'assertionAudience',
  'fetch',
  'timeoutMs',
  'parameters',
  'clock',
];
export const TOKEN_CLIENT_OPTIONS: readonly string[] = [
  ...OAUTH_CLIENT_OPTIONS,
  'tokenUrl',
  'name',
  'scope',
  'audience',
  'resource',
  'minRemainingMs',
  'dpop',
  'random',
];

export const DEFAULT_TIMEOUT_MS = 5_000;
export const DEFAULT_MIN_REMAINING_MS = 30_000;
export const MIN_REMAINING_FLOOR_MS = 10_000;
