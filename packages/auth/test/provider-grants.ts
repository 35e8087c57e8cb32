// Grant types that the live provider does not support itself: token exchange (RFC 8693) and JWT bearer assertions (RFC
// 7523), verified with jose instead of the code under test.
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose';
import type Provider from 'oidc-provider';
import type { GrantContext } from 'oidc-provider';
import { AUDIENCE } from './identity-provider.ts';
import type { TestKey } from './tokens.ts';

export const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ASSERTION = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:access_token';

/** Adds both grant types to a provider: exchange of its own tokens, and assertions signed by `robotKey` for any subject. */
export function addGrants(provider: Provider, issuer: string, own: readonly TestKey[], robotKey: TestKey): void {
  const ownKeys = createLocalJWKSet({ keys: own.map(({ jwk }) => jwk) as never });
  const robotKeys = createLocalJWKSet({ keys: [robotKey.jwk] as never });
  const used = new Set<string>();

  const grant = async (ctx: GrantContext, subject: string, act?: object): Promise<void> => {
    const { client, params } = ctx.oidc;
    const scope = String(params['scope'] ?? '');
    // Read by `extraTokenClaims` of the provider.
    ctx.act = act;
    const token = new provider.AccessToken({ accountId: subject, client, scope });
    const format = { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } };
    token.resourceServer = new provider.ResourceServer(AUDIENCE, { scope, audience: AUDIENCE, ...format });
    const access_token = await token.save();
    const expires_in = token.expiration;
    ctx.body = { access_token, issued_token_type: TOKEN_TYPE, token_type: 'Bearer', expires_in, scope };
  };
  const refuse = (ctx: GrantContext, error: string): void => {
    ctx.status = 400;
    ctx.body = { error };
  };
  const judged = async (
    ctx: GrantContext,
    reading: Promise<{ payload: JWTPayload }>,
  ): Promise<JWTPayload | undefined> => {
    const found = await reading.then(
      ({ payload }) => payload,
      () => undefined,
    );
    if (found?.sub === undefined) refuse(ctx, 'invalid_grant');
    return found?.sub === undefined ? undefined : found;
  };

  provider.registerGrantType(
    EXCHANGE,
    async (ctx) => {
      const { params, client } = ctx.oidc;
      if (params['subject_token_type'] !== TOKEN_TYPE) return refuse(ctx, 'invalid_request');
      const rules = { issuer, audience: AUDIENCE, typ: 'at+jwt' };
      const subject = await judged(ctx, jwtVerify(String(params['subject_token']), ownKeys, rules));
      if (subject === undefined) return;
      const actor = params['actor_token'];
      const act =
        actor === undefined
          ? { sub: client.clientId }
          : await judged(ctx, jwtVerify(String(actor), ownKeys, rules)).then((found) => found && { sub: found.sub });
      if (act === undefined) return;
      await grant(ctx, subject.sub!, act);
    },
    [
      'subject_token',
      'subject_token_type',
      'actor_token',
      'actor_token_type',
      'requested_token_type',
      'scope',
      'audience',
      'resource',
    ],
  );
  provider.registerGrantType(
    ASSERTION,
    async (ctx) => {
      const { params } = ctx.oidc;
      const rules = { issuer: 'robot@example.com', audience: issuer, maxTokenAge: 300 };
      const subject = await judged(ctx, jwtVerify(String(params['assertion']), robotKeys, rules));
      if (subject === undefined) return;
      if (subject.jti === undefined || used.has(subject.jti)) return refuse(ctx, 'invalid_grant');
      used.add(subject.jti);
      await grant(ctx, subject.sub!);
    },
    ['assertion', 'scope', 'resource', 'audience'],
  );
}
