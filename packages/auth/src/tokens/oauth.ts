// Requests to the token and introspection endpoints of an authorization server (RFC 6749, RFC 7662). The only file that
// imports oauth4webapi. Responses are bounded in time and size and parsed strictly before the library sees them, and no
// error contains any part of a response.
import { type Clock, parseRetryAfter } from '@macadam/core';
import {
  allowInsecureRequests,
  type AuthorizationServer,
  type Client,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  customFetch,
  genericTokenEndpointRequest,
  introspectionRequest,
  isDPoPNonceError,
  modifyAssertion,
  None,
  PrivateKeyJwt,
  processGenericTokenEndpointResponse,
  processIntrospectionResponse,
  ResponseBodyError,
  TlsClientAuth,
} from 'oauth4webapi';
import type { DpopKey } from '../dpop/dpop-key.ts';
import { ResponseTooLargeError, fetchBounded, type FetchLike } from '../fetch/bounded-fetch.ts';
import { redactedCause, requestSecrets } from '../fetch/redacted-cause.ts';
import { withTimeout } from '../with-timeout.ts';
import type { FetchPurpose } from '../instruments.ts';
import { type JsonObject, parseStrictObject } from '../jwt/strict-json.ts';
import { TokenRequestError } from './errors.ts';
import type { Provided } from './options.ts';
import type { SigningKey } from './private-key.ts';
import { extractMembers } from './token-response.ts';

/** The client, and how it authenticates. */
export type ClientIdentity =
  | { readonly id: string; readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: Provided }
  | { readonly id: string; readonly method: 'private_key_jwt'; readonly key: SigningKey }
  | { readonly id: string; readonly method: 'tls_client_auth' | 'none' };

/** An endpoint and its client, validated. */
export interface OAuthEndpoint {
  readonly url: URL;
  readonly client: ClientIdentity;
  readonly assertionAudience: string;
  /** Additional parameters of every request. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly fetch: FetchLike;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly dpop: DpopKey | undefined;
}

/** A successful token response (RFC 6749 section 5.1). */
export interface TokenResponse {
  readonly accessToken: string;
  /** `expires_in` as it was received; token-lifetime.ts parses it. */
  readonly expiresIn: unknown;
  readonly refreshToken: string | undefined;
}

/** Far larger than any real response: a bound on memory against an endless one. */
const MAX_BYTES = 65_536;
const ASSERTION_LIFETIME_SECONDS = 60;
/** The default token type (RFC 8693 section 3). */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Requests a token. @throws TokenRequestError, or the reason of `signal` */
export async function requestToken(
  endpoint: OAuthEndpoint,
  grantType: string,
  parameters: readonly (readonly [string, string])[],
  signal: AbortSignal,
): Promise<TokenResponse> {
  const body = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]));
  let expiresIn: unknown;
  const response = await callEndpoint(endpoint, 'token', signal, async (as, client, auth, options) => {
    const response = await genericTokenEndpointRequest(as, client, auth, grantType, body, options);
    // `expires_in` is parsed by ourselves, since many endpoints send it malformed, which the library rejects. An ID
    // token is not used, so the library must not validate it.
    const { rest, extracted } = await extractMembers(response, ['expires_in', 'id_token']);
    expiresIn = extracted['expires_in'];
    return await processGenericTokenEndpointResponse(as, client, rest, { recognizedTokenTypes: { n_a() {} } });
  });
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken } = response;
  const expectsDpop = endpoint.dpop !== undefined;
  // The type `N_A` stands for a token that is not an access token (RFC 8693 section 2.2.1): accepted only where one was
  // requested.
  const isOtherTokenType = ![null, ACCESS_TOKEN].includes(body.get('requested_token_type')) && type === 'n_a';
  // A bearer token is rejected where a token bound to the DPoP key was requested, since it would be used as a bound one.
  if (!/^[\x21-\x7e]+$/.test(accessToken) || (type !== (expectsDpop ? 'dpop' : 'bearer') && !isOtherTokenType)) {
    throw new TokenRequestError('malformed', nameOf(endpoint));
  }
  return { accessToken, expiresIn, refreshToken };
}

/** Introspects a token. @throws TokenRequestError, or the reason of `signal` */
export function requestIntrospection(endpoint: OAuthEndpoint, token: string, signal: AbortSignal): Promise<JsonObject> {
  return callEndpoint(endpoint, 'introspection', signal, async (as, client, auth, options) => {
    const response = await introspectionRequest(as, client, auth, token, {
      ...options,
      additionalParameters: endpoint.parameters,
    });
    // A signed response (RFC 9701) is rejected: the library would accept it without verifying who signed it.
    if (/\bjwt\b/i.test(response.headers.get('content-type') ?? '')) {
      throw new TokenRequestError('malformed', nameOf(endpoint));
    }
    return (await processIntrospectionResponse(as, client, response)) as unknown as JsonObject;
  });
}

/** The URL of the endpoint without its query, for errors and descriptions. */
export function nameOf({ url }: OAuthEndpoint): string {
  return url.origin + url.pathname;
}

/** What is known about the last response, for errors. */
interface ResponseInfo {
  status: number | undefined;
  retryAfterMs: number | undefined;
}

type Options = NonNullable<Parameters<typeof genericTokenEndpointRequest>[5]>;

async function callEndpoint<T>(
  endpoint: OAuthEndpoint,
  purpose: FetchPurpose,
  signal: AbortSignal,
  sendRequest: (as: AuthorizationServer, client: Client, auth: ClientAuth, options: Options) => Promise<T>,
): Promise<T> {
  const { url, client, dpop } = endpoint;
  const as: AuthorizationServer = {
    issuer: endpoint.assertionAudience,
    token_endpoint: url.href,
    introspection_endpoint: url.href,
  };
  const auth = await clientAuthentication(endpoint);
  const info: ResponseInfo = { status: undefined, retryAfterMs: undefined };
  const options: Options = {
    [customFetch]: (_url, init) => send(endpoint, purpose, init as never, signal, info),
    // `endpointUrl` has already restricted `http` to loopback.
    [allowInsecureRequests]: true,
  };
  const attempt = (): Promise<T> => sendRequest(as, { client_id: client.id }, auth, options);
  try {
    // RFC 9449 section 8: one retry with the nonce of the server. Only one, since a server may ask for a new nonce each
    // time.
    return await attempt().catch((error: unknown) => {
      if (dpop === undefined || !isDPoPNonceError(error)) throw error;
      return attempt();
    });
  } catch (error) {
    if (signal.aborted || error instanceof TokenRequestError) throw error;
    const details = { ...info, error: error instanceof ResponseBodyError ? error.error : undefined };
    const reason = (info.status ?? 200) === 200 ? 'malformed' : 'refused';
    // The error of the library contains the response, so it is not used as cause.
    throw new TokenRequestError(reason, nameOf(endpoint), details);
  }
}

async function send(
  endpoint: OAuthEndpoint,
  purpose: FetchPurpose,
  { headers, body }: { headers: Record<string, string>; body: URLSearchParams },
  signal: AbortSignal,
  info: ResponseInfo,
): Promise<Response> {
  const { url, fetch, clock, timeoutMs, dpop } = endpoint;
  info.status = undefined;
  if (dpop !== undefined) headers['dpop'] = await dpop.proof({ method: 'POST', url: url.href });
  const bounds = { fetch, clock, timeoutMs, maxBytes: MAX_BYTES, readsBody: () => true, signal };
  const response = await fetchBounded({
    purpose,
    url: url.href,
    method: 'POST',
    headers,
    body: body.toString(),
    ...bounds,
  }).catch((cause: unknown) => {
    if (signal.aborted) throw cause;
    const tooLong = cause instanceof ResponseTooLargeError;
    const redacted = tooLong ? cause : redactedCause(cause, requestSecrets(url, headers, body));
    throw new TokenRequestError(tooLong ? 'malformed' : 'unreachable', nameOf(endpoint), { cause: redacted });
  });
  info.status = response.status;
  const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
  const retryAfterFields = { retryAfter: header('retry-after'), retryAfterMs: undefined, date: header('date') };
  info.retryAfterMs = parseRetryAfter(retryAfterFields, clock.now());
  dpop?.learn(url.origin, response.headers.get('dpop-nonce'));
  // The library would take the last of duplicate members, such as two `active`.
  if (response.status === 200 && parseStrictObject(response.text) === undefined) {
    throw new TokenRequestError('malformed', nameOf(endpoint), { status: 200 });
  }
  const contentType = response.headers.get('content-type');
  // Only what the library needs: it would also parse `WWW-Authenticate`, which adds nothing to the body.
  return new Response(response.status < 200 || response.status > 599 ? null : response.text, {
    status: response.status < 200 || response.status > 599 ? 502 : response.status,
    headers: contentType === null ? {} : { 'content-type': contentType },
  });
}

async function clientAuthentication(endpoint: OAuthEndpoint): Promise<ClientAuth> {
  const { client, clock } = endpoint;
  switch (client.method) {
    case 'client_secret_basic':
      return ClientSecretBasic(await resolveProvided(client.secret, endpoint));
    case 'client_secret_post':
      return ClientSecretPost(await resolveProvided(client.secret, endpoint));
    case 'private_key_jwt': {
      const { cryptoKey, kid, algorithm } = client.key;
      return PrivateKeyJwt(kid === undefined ? cryptoKey : { key: cryptoKey, kid }, {
        [modifyAssertion]: (header, payload) => {
          const now = Math.floor(clock.now() / 1_000);
          header['alg'] = algorithm;
          payload['iat'] = now;
          payload['nbf'] = now;
          payload['exp'] = now + ASSERTION_LIFETIME_SECONDS;
        },
      });
    }
    case 'tls_client_auth':
      return TlsClientAuth();
    case 'none':
      return None();
  }
}

/** Calls a function that provides a secret, within the time limit of a request. @throws TokenRequestError `credential` */
export async function resolveProvided(value: Provided, endpoint: OAuthEndpoint): Promise<string> {
  const { timeoutMs, clock } = endpoint;
  let text: unknown;
  try {
    text = typeof value === 'function' ? await withTimeout(timeoutMs, clock, Promise.resolve(value())) : value;
  } catch (cause) {
    throw new TokenRequestError('credential', nameOf(endpoint), { cause });
  }
  if (typeof text !== 'string' || text === '') throw new TokenRequestError('credential', nameOf(endpoint));
  return text;
}
