export { createApiKey, parseApiKey } from './api-keys/api-key.ts';
export type { ApiKey, ApiKeyOptions, ParsedApiKey } from './api-keys/api-key.ts';
export { ApiKeyError } from './api-keys/errors.ts';
export type { ApiKeyReason } from './api-keys/errors.ts';
export { verifyApiKey } from './api-keys/verify-api-key.ts';
export type { ApiKeyLookup, ApiKeyPrincipal, ApiKeyRecord, VerifyApiKeyOptions } from './api-keys/verify-api-key.ts';
export { boundKeyOf } from './dpop/authenticate.ts';
export type { TokenVerifier } from './dpop/authenticate.ts';
export { createDpopKey } from './dpop/dpop-key.ts';
export type { DpopKey, DpopKeyOptions, ProofTarget } from './dpop/dpop-key.ts';
export { createDpopVerifier } from './dpop/dpop-verifier.ts';
export type {
  DpopIncomingRequest,
  DpopNonceOptions,
  DpopProof,
  DpopVerifier,
  DpopVerifierOptions,
  DpopVerifierStats,
  ExpectedBinding,
} from './dpop/dpop-verifier.ts';
export { dpop } from './dpop/dpop.ts';
export type { DpopResponse, DpopAuth, DpopRequest } from './dpop/dpop.ts';
export { DpopError } from './dpop/errors.ts';
export type { DpopReason } from './dpop/errors.ts';
export { ForbiddenError, SignatureError, TokenError } from './errors.ts';
export type { SignatureReason, TokenErrorDetails, TokenReason } from './errors.ts';
export type { IncomingHeaders } from './incoming-headers.ts';
export type { IntrospectedToken } from './introspection/introspection-response.ts';
export { createIntrospector } from './introspection/introspector.ts';
export type { Introspector, IntrospectorStats } from './introspection/introspector.ts';
export type { IntrospectionCacheOptions, IntrospectorOptions } from './introspection/options.ts';
export type { HmacAlgorithm, JwtAlgorithm } from './jwt/algorithms.ts';
export { createHmacJwtVerifier } from './jwt/hmac-verifier.ts';
export type { HmacSecret } from './jwt/hmac-secrets.ts';
export type { HmacJwtVerifierOptions } from './jwt/hmac-verifier.ts';
export { createHmacJwsVerifier, createJwsVerifier } from './jwt/jws-verifier.ts';
export type {
  HmacJwsVerifierOptions,
  JwsVerifier,
  JwsVerifierOptions,
  JwsVerifierStats,
  VerifiedJws,
} from './jwt/jws-verifier.ts';
export type { FetchInit, FetchLike, FetchResponse } from './fetch/bounded-fetch.ts';
export type { JsonWebKey, JsonWebKeySet } from './jwt/jwk.ts';
export type { KeySourceStats } from './jwt/key-source.ts';
export type {
  JwtIssuerOptions,
  JwtVerifierOptions,
  KeyFetchOptions,
  TokenCacheOptions,
  VerifierOptions,
} from './jwt/options.ts';
export type { Principal } from './jwt/principal.ts';
export type { JwtProfile } from './jwt/profiles.ts';
export { createJwtVerifier } from './jwt/create-jwt-verifier.ts';
export type { JwtVerifier, JwtVerifierStats, VerifyOptions, VerifyTokenOptions } from './jwt/jwt-verifier.ts';
export { cachedPermissions } from './permissions/cached-permissions.ts';
export type { CachedPermissions, CachedPermissionsOptions } from './permissions/cached-permissions.ts';
export { cedarPermissions } from './permissions/cedar.ts';
export type {
  CedarAnswer,
  CedarEngine,
  CedarEntity,
  CedarEntityId,
  CedarParsed,
  CedarPermissionsOptions,
} from './permissions/cedar.ts';
export type { DecisionCacheOptions } from './permissions/decision-cache.ts';
export type { Decision, DecisionReason, Permissions, RuleExplanation } from './permissions/decision.ts';
export { openFgaPermissions } from './permissions/open-fga.ts';
export type { OpenFgaPermissionsOptions } from './permissions/open-fga.ts';
export type { Consistency, FgaTuple } from './permissions/open-fga-batcher.ts';
export { definePermissions } from './permissions/permissions.ts';
export type { PermissionsOptions } from './permissions/permissions.ts';
export { relationGraph } from './permissions/relation-graph.ts';
export type {
  RelationDefinition,
  RelationGraph,
  RelationGraphOptions,
  RelationTuple,
} from './permissions/relation-graph.ts';
export type { CheckOptions, RemotePermissions, RemotePermissionsStats } from './permissions/remote-permissions.ts';
export type { PermissionRequest, PermissionRule, Relations } from './permissions/rule.ts';
export type { SeenBefore } from './replay.ts';
export type { SignatureAlgorithm, SignatureKey, SigningAlgorithm } from './signatures/algorithms.ts';
export type { StructuredFields } from './signatures/component-value.ts';
export { contentDigest } from './signatures/digest.ts';
export type { MessageHeaders, RequestMessage, ResponseMessage } from './signatures/message.ts';
export { requestSigner } from './signatures/request-signer.ts';
export type { RequestSigner, RequestSignerOptions } from './signatures/request-signer.ts';
export { signRequest, signResponse } from './signatures/sign.ts';
export type { SignatureHeaders, SignOptions } from './signatures/sign.ts';
export type { FieldKind } from './signatures/structured-fields.ts';
export { verifyRequest, verifyResponse } from './signatures/verify.ts';
export type { VerifiedSignature } from './signatures/verify.ts';
export type { ResolvedKey, VerifySignatureOptions } from './signatures/verify-options.ts';
export { bearer } from './tokens/bearer.ts';
export type { BearerAuth, BearerContext, BearerHeaders } from './tokens/bearer.ts';
export { clientCredentials } from './tokens/client-credentials.ts';
export type { ClientCredentialsOptions } from './tokens/client-credentials.ts';
export { TokenRequestError } from './tokens/errors.ts';
export type { TokenRequestErrorDetails, TokenRequestReason } from './tokens/errors.ts';
export { jwtAssertion, jwtBearer } from './tokens/jwt-bearer.ts';
export type { JwtAssertionOptions, JwtBearerOptions } from './tokens/jwt-bearer.ts';
export type { ClientAuthMethod, OAuthClientOptions, Provided, TokenClientOptions } from './tokens/options.ts';
export type { PrivateKeyOptions } from './tokens/private-key.ts';
export { refreshTokens } from './tokens/refresh-tokens.ts';
export type { RefreshTokensOptions } from './tokens/refresh-tokens.ts';
export type { GetTokenOptions, TokenClient, TokenClientStats, TokenSource } from './tokens/token-client.ts';
export { tokenExchange, tokenExchanges } from './tokens/token-exchange.ts';
export type {
  ExchangeOptions,
  TokenExchangeOptions,
  TokenExchanges,
  TokenExchangesOptions,
  TokenExchangesStats,
} from './tokens/token-exchange.ts';
export { redisTokenStore } from './tokens/redis-token-store.ts';
export type { RedisTokenStoreOptions, TokenRedisClient } from './tokens/redis-token-store.ts';
export { memoryTokenStore } from './tokens/token-store.ts';
export type { StoredAccessToken, StoredTokens, TokenStore } from './tokens/token-store.ts';
export type { WebhookSecret } from './webhooks/secret.ts';
export { webhookSigner } from './webhooks/webhook-signer.ts';
export type {
  SignWebhookOptions,
  WebhookHeaders,
  WebhookSigner,
  WebhookSignerOptions,
} from './webhooks/webhook-signer.ts';
export { webhookVerifier } from './webhooks/webhook-verifier.ts';
export type { VerifiedWebhook, WebhookVerifier, WebhookVerifierOptions } from './webhooks/webhook-verifier.ts';
