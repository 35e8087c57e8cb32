// The requests of OAuth, by oauth4webapi: the only file that knows it. What goes over the wire is bounded, and read
// strictly before it is handed on; what comes out of an error holds nothing of an answer.
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
import { AnswerTooLongError, fetchBounded, type FetchLike } from '../fetch/bounded-fetch.ts';
import { safeCause, secretsIn } from '../fetch/safe-cause.ts';
import { within } from '../fetch/within.ts';
import type { FetchPurpose } from '../instruments.ts';
import { type JsonObject, readStrictObject } from '../jwt/strict-json.ts';
import { TokenRequestError } from './errors.ts';
import type { Provided } from './options.ts';
import type { SigningKey } from './private-key.ts';
import { without } from './token-answer.ts';

/** Who asks, and how that is shown. */
export type ClientIdentity =
  | { readonly id: string; readonly method: 'client_secret_basic' | 'client_secret_post'; readonly secret: Provided }
  | { readonly id: string; readonly method: 'private_key_jwt'; readonly key: SigningKey }
  | { readonly id: string; readonly method: 'tls_client_auth' | 'none' };

/** Where to ask, and who asks; all checked. */
export interface OAuthEndpoint {
  readonly url: URL;
  readonly client: ClientIdentity;
  readonly assertionAudience: string;
  /** Of every request, beyond the standard. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly fetch: FetchLike;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly dpop: DpopKey | undefined;
}

/** What the endpoint granted, checked for its form. */
export interface TokenAnswer {
  readonly accessToken: string;
  /** `expires_in` as it came. */
  readonly expiresIn: unknown;
  readonly refreshToken: string | undefined;
}

/** No honest answer comes near; one that does not end must not fill the memory. */
const MAX_BYTES = 65_536;
const ASSERTION_SECONDS = 60;
/** The type of token that is meant where none is named (RFC 8693 section 3). */
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Asks for a token. @throws TokenRequestError, or the reason of `signal`. */
export async function requestToken(
  endpoint: OAuthEndpoint,
  grantType: string,
  parameters: readonly (readonly [string, string])[],
  signal: AbortSignal,
): Promise<TokenAnswer> {
  const body = new URLSearchParams(parameters.map(([name, value]): [string, string] => [name, value]));
  let expiresIn: unknown;
  const answer = await exchange(endpoint, 'token', signal, async (as, client, auth, options) => {
    const response = await genericTokenEndpointRequest(as, client, auth, grantType, body, options);
    // Read by ourselves, since many endpoints get it wrong; and an ID token is not for us to judge.
    const { rest, taken } = await without(response, ['expires_in', 'id_token']);
    expiresIn = taken['expires_in'];
    return await processGenericTokenEndpointResponse(as, client, rest, { recognizedTokenTypes: { n_a() {} } });
  });
  const { access_token: accessToken, token_type: type, refresh_token: refreshToken } = answer;
  const bound = endpoint.dpop !== undefined;
  // What is no access token is no kind of one (RFC 8693 section 2.2.1), and taken where something else was asked for.
  const other = ![null, ACCESS_TOKEN].includes(body.get('requested_token_type')) && type === 'n_a';
  // A token that anybody can use, where one for our key was asked for, would be used like that one: refused.
  if (!/^[\x21-\x7e]+$/.test(accessToken) || (type !== (bound ? 'dpop' : 'bearer') && !other)) {
    throw new TokenRequestError('malformed', nameOf(endpoint));
  }
  return { accessToken, expiresIn, refreshToken };
}

/** Asks what is known of a token. @throws TokenRequestError, or the reason of `signal`. */
export function requestIntrospection(endpoint: OAuthEndpoint, token: string, signal: AbortSignal): Promise<JsonObject> {
  return exchange(endpoint, 'introspection', signal, async (as, client, auth, options) => {
    const response = await introspectionRequest(as, client, auth, token, {
      ...options,
      additionalParameters: endpoint.parameters,
    });
    // A signed answer (RFC 9701) was not asked for, and the library takes one whoever signed it.
    if (/\bjwt\b/i.test(response.headers.get('content-type') ?? '')) {
      throw new TokenRequestError('malformed', nameOf(endpoint));
    }
    return (await processIntrospectionResponse(as, client, response)) as unknown as JsonObject;
  });
}

/** The endpoint as it may be shown. */
export function nameOf({ url }: OAuthEndpoint): string {
  return url.origin + url.pathname;
}

/** What is known of the last answer, whether or not it could be used. */
interface Seen {
  status: number | undefined;
  retryAfterMs: number | undefined;
}

type Options = NonNullable<Parameters<typeof genericTokenEndpointRequest>[5]>;

async function exchange<T>(
  endpoint: OAuthEndpoint,
  purpose: FetchPurpose,
  signal: AbortSignal,
  ask: (as: AuthorizationServer, client: Client, auth: ClientAuth, options: Options) => Promise<T>,
): Promise<T> {
  const { url, client, dpop } = endpoint;
  const as: AuthorizationServer = {
    issuer: endpoint.assertionAudience,
    token_endpoint: url.href,
    introspection_endpoint: url.href,
  };
  const auth = await authentication(endpoint);
  const seen: Seen = { status: undefined, retryAfterMs: undefined };
  const options: Options = {
    [customFetch]: (_url, init) => send(endpoint, purpose, init as never, signal, seen),
    // `http` is for loopback only, which was checked when the options were.
    [allowInsecureRequests]: true,
  };
  const attempt = (): Promise<T> => ask(as, { client_id: client.id }, auth, options);
  try {
    // One more try with the server's nonce, and then no more: a server that asks for one each time is never content.
    return await attempt().catch((error: unknown) => {
      if (dpop === undefined || !isDPoPNonceError(error)) throw error;
      return attempt();
    });
  } catch (error) {
    if (signal.aborted || error instanceof TokenRequestError) throw error;
    const details = { ...seen, error: error instanceof ResponseBodyError ? error.error : undefined };
    const reason = (seen.status ?? 200) === 200 ? 'malformed' : 'refused';
    // The library's errors carry the answer: they stay here.
    throw new TokenRequestError(reason, nameOf(endpoint), details);
  }
}

async function send(
  endpoint: OAuthEndpoint,
  purpose: FetchPurpose,
  { headers, body }: { headers: Record<string, string>; body: URLSearchParams },
  signal: AbortSignal,
  seen: Seen,
): Promise<Response> {
  const { url, fetch, clock, timeoutMs, dpop } = endpoint;
  seen.status = undefined;
  if (dpop !== undefined) headers['dpop'] = await dpop.proof({ method: 'POST', url: url.href });
  const bounds = { fetch, clock, timeoutMs, maxBytes: MAX_BYTES, reads: () => true, signal };
  const answer = await fetchBounded({
    purpose,
    url: url.href,
    method: 'POST',
    headers,
    body: body.toString(),
    ...bounds,
  }).catch((cause: unknown) => {
    if (signal.aborted) throw cause;
    const tooLong = cause instanceof AnswerTooLongError;
    const told = tooLong ? cause : safeCause(cause, secretsIn(headers, body));
    throw new TokenRequestError(tooLong ? 'malformed' : 'unreachable', nameOf(endpoint), { cause: told });
  });
  seen.status = answer.status;
  const header = (name: string): string | undefined => answer.headers.get(name) ?? undefined;
  const asked = { retryAfter: header('retry-after'), retryAfterMs: undefined, date: header('date') };
  seen.retryAfterMs = parseRetryAfter(asked, clock.now());
  dpop?.learn(url.origin, answer.headers.get('dpop-nonce'));
  // The library takes the last of two members of one name: of `active`, say.
  if (answer.status === 200 && readStrictObject(answer.text) === undefined) {
    throw new TokenRequestError('malformed', nameOf(endpoint), { status: 200 });
  }
  const contentType = answer.headers.get('content-type');
  // Only what the library is to read: challenges and the like say nothing that the body does not.
  return new Response(answer.status < 200 || answer.status > 599 ? null : answer.text, {
    status: answer.status < 200 || answer.status > 599 ? 502 : answer.status,
    headers: contentType === null ? {} : { 'content-type': contentType },
  });
}

async function authentication(endpoint: OAuthEndpoint): Promise<ClientAuth> {
  const { client, clock } = endpoint;
  switch (client.method) {
    case 'client_secret_basic':
      return ClientSecretBasic(await provided(client.secret, endpoint));
    case 'client_secret_post':
      return ClientSecretPost(await provided(client.secret, endpoint));
    case 'private_key_jwt': {
      const { handle, kid, algorithm } = client.key;
      return PrivateKeyJwt(kid === undefined ? handle : { key: handle, kid }, {
        [modifyAssertion]: (header, payload) => {
          const now = Math.floor(clock.now() / 1_000);
          header['alg'] = algorithm;
          payload['iat'] = now;
          payload['nbf'] = now;
          payload['exp'] = now + ASSERTION_SECONDS;
        },
      });
    }
    case 'tls_client_auth':
      return TlsClientAuth();
    case 'none':
      return None();
  }
}

/** What a request is made with, in the time of a request. @throws TokenRequestError `credential`. */
export async function provided(value: Provided, endpoint: OAuthEndpoint): Promise<string> {
  const { timeoutMs, clock } = endpoint;
  let text: unknown;
  try {
    text = typeof value === 'function' ? await within(timeoutMs, clock, Promise.resolve(value())) : value;
  } catch (cause) {
    throw new TokenRequestError('credential', nameOf(endpoint), { cause });
  }
  if (typeof text !== 'string' || text === '') throw new TokenRequestError('credential', nameOf(endpoint));
  return text;
}
