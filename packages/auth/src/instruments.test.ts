import { startMetricsCollector, type MetricsCollector } from '@macadam/test-support/metrics-collector';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TELEMETRY } from './instruments.ts';
import {
  clientCredentials,
  createDpopVerifier,
  createIntrospector,
  createJwtVerifier,
  tokenExchanges,
} from './index.ts';
import { stageTokens, TokenEndpoint, client } from '../test/token-endpoint.ts';
import { accessClaims, AUDIENCE, ISSUER, KeyEndpoint, makeToken, reasonOf, testKey } from '../test/tokens.ts';
import { virtualClock } from '@macadam/testkit';

let collector: MetricsCollector;
beforeEach(() => void (collector = startMetricsCollector()));
afterEach(() => collector.close());

describe('exported metrics', () => {
  it('of a verifier: tokens by outcome, the cache, and the keys of each issuer', async () => {
    const clock = virtualClock();
    const key = testKey('a');
    const endpoint = new KeyEndpoint([key.jwk]);
    const verifier = createJwtVerifier({
      name: 'api',
      issuers: [{ issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], jwksUri: `${ISSUER}/jwks` }],
      fetch: endpoint.fetch,
      clock,
    });
    const token = makeToken(key, accessClaims(clock));
    for (let n = 0; n < 3; n++) await verifier.verify(token);
    await reasonOf(verifier.verify('not a token'));
    await clock.advance(1_000);
    await reasonOf(verifier.verify(makeToken(testKey('b'), accessClaims(clock))));
    await clock.advance(20_000);
    expect(await collector.collect()).toMatchObject({
      'macadam.auth.tokens{api,accepted}': 3,
      'macadam.auth.tokens{api,malformed}': 1,
      'macadam.auth.tokens{api,keyUnknown}': 1,
      'macadam.auth.cache.lookups{api,hit}': 2,
      'macadam.auth.cache.lookups{api,miss}': 3,
      'macadam.auth.cache.entries{api}': 1,
      [`macadam.auth.jwks.age{${ISSUER}}`]: 20,
      [`macadam.auth.jwks.fetches{${ISSUER},success}`]: 2,
      [`macadam.auth.jwks.fetches{${ISSUER},failure}`]: 0,
      [`macadam.auth.jwks.unknown_keys{${ISSUER}}`]: 1,
      'macadam.auth.fetch.duration{jwks,answered}': 2,
    });
  });

  it('of token clients: requests, and the remaining lifetime of the token', async () => {
    const { clock, endpoint, tokens } = stageTokens({ name: 'billing' });
    endpoint.fail();
    await tokens.getToken().catch(() => {});
    endpoint.respond = undefined;
    endpoint.grant = { expires_in: '600' };
    await clock.advance(2_000);
    tokens.invalidate(await tokens.getToken());
    await tokens.getToken();
    await clock.advance(100_000);
    expect(await collector.collect()).toMatchObject({
      'macadam.auth.token.requests{billing,success}': 2,
      'macadam.auth.token.requests{billing,failure}': 1,
      'macadam.auth.token.expires_in{billing}': 500,
      'macadam.auth.token.invalidations{billing,replaced}': 1,
      'macadam.auth.token.invalidations{billing,kept}': 0,
      'macadam.auth.token.odd_lifetimes{billing}': 2,
      'macadam.auth.fetch.duration{token,answered}': 3,
    });
  });

  it('of token exchanges: all subjects together, including evicted ones', async () => {
    const endpoint = new TokenEndpoint();
    const exchanges = tokenExchanges({ ...client, name: 'behalf', fetch: endpoint.fetch, maxSubjects: 1 });
    for (const one of ['alice', 'bob', 'carol']) await exchanges.for(one).getToken();
    expect(await collector.collect()).toMatchObject({ 'macadam.auth.token.requests{behalf,success}': 3 });
  });

  it('of introspection and of DPoP proofs', async () => {
    const endpoint = new TokenEndpoint();
    endpoint.respond = () => Response.json({ active: false });
    const introspector = createIntrospector({
      name: 'opaque',
      introspectionUrl: `${ISSUER}/introspect`,
      clientId: 'a',
      clientSecret: 'b',
      audience: [],
      fetch: endpoint.fetch,
    });
    for (let n = 0; n < 2; n++) await reasonOf(introspector.verify('token'));
    const proofs = createDpopVerifier({ name: 'proofs' });
    await proofs.verifyProof({ method: 'GET', url: ISSUER, headers: {} }).catch(() => {});
    expect(await collector.collect()).toMatchObject({
      'macadam.auth.tokens{opaque,inactive}': 2,
      'macadam.auth.cache.lookups{opaque,hit}': 1,
      'macadam.auth.dpop.proofs{proofs,missing}': 1,
      'macadam.auth.fetch.duration{introspection,answered}': 1,
    });
    expect(proofs.stats()).toEqual({ accepted: 0, refused: { missing: 1 } });
  });

  it('contain no secret or token', async () => {
    const { tokens } = stageTokens();
    const token = await tokens.getToken();
    const all = JSON.stringify(await collector.collect()) + JSON.stringify(TELEMETRY);
    expect(all).not.toContain(token);
    expect(all).toContain('id.example.com');
    // Kept alive until here: what is observed is held weakly.
    expect(clientCredentials(client).stats().requests).toBe(0);
  });
});
