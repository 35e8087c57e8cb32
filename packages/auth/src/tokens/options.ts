import type { Clock, Random } from '@macadam/core';
import type { DpopKey } from '../dpop/dpop-key.ts';
import type { FetchLike } from '../fetch/bounded-fetch.ts';
import type { PrivateKeyOptions } from './private-key.ts';

/** A string, or a function that returns it each time it is needed: a secret that is rotated, a token in a file. */
export type Provided = string | (() => string | Promise<string>);

/**
 * How a client authenticates at the authorization server, by the names of the registry for OAuth token endpoint
 * authentication methods. `client_secret_basic` and `client_secret_post` send the secret; with `tls_client_auth`,
 * `fetch` presents a certificate (RFC 8705), which may be self-signed; `none` is for public clients. For
 * `private_key_jwt` give a `privateKey` instead.
 */
export type ClientAuthMethod = 'client_secret_basic' | 'client_secret_post' | 'tls_client_auth' | 'none';

/** An endpoint of an authorization server, and how this client authenticates there. */
export interface OAuthClientOptions {
  /** The client id at the authorization server. */
  clientId: string;
  /** The client secret. A function is called before each request. Default: none. */
  clientSecret?: Provided;
  /** Signs an assertion for each request (`private_key_jwt`, RFC 7523), instead of `clientSecret`. Default: none. */
  privateKey?: PrivateKeyOptions;
  /**
   * How the client authenticates. Required where there is neither `clientSecret` nor `privateKey`. Default:
   * `client_secret_basic` with a secret.
   */
  clientAuth?: ClientAuthMethod;
  /** The `aud` of assertions; some servers require their issuer. Default: the URL of the endpoint. */
  assertionAudience?: string;
  /** Sends the requests, such as `fetch` of a client of `@macadam/http`. Default: the global `fetch`. */
  fetch?: FetchLike;
  /** Time limit of one request, in milliseconds. Default: 5_000. */
  timeoutMs?: number;
  /** Additional parameters of the request body that the standard does not define. Default: none. */
  parameters?: Readonly<Record<string, string>>;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
}

/** Options of every token client. */
export interface TokenClientOptions extends OAuthClientOptions {
  /** URL of the token endpoint. `https`, except on loopback. */
  tokenUrl: string;
  /** Name in metrics. Default: the host of `tokenUrl`. */
  name?: string;
  /** The scopes to ask for. Default: what the server grants without being asked. */
  scope?: string | readonly string[];
  /** Who the token is for, as a name (RFC 8693; several servers). Default: not sent. */
  audience?: string | readonly string[];
  /** Who the token is for, as an absolute URI (RFC 8707). Default: not sent. */
  resource?: string | readonly string[];
  /**
   * Minimum remaining lifetime of a token that is returned without waiting for a new one, in milliseconds, at least
   * 10_000: the time limit of your requests plus 10 seconds for differing clocks. Default: 30_000.
   */
  minRemainingMs?: number;
  /** Binds tokens to a key (RFC 9449). Send them with `dpop()` instead of `bearer()`. Default: bearer tokens. */
  dpop?: DpopKey;
  /** Source of randomness, for the times of refreshes. Default: `Math.random`. */
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
