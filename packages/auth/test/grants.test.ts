// The requests of each grant type and client authentication method, and the validation of their options.
import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { OptionsError } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  bearer,
  clientCredentials,
  jwtAssertion,
  jwtBearer,
  type TokenClientOptions,
  tokenExchange,
  tokenExchanges,
  TokenRequestError,
} from '../src/index.ts';
import { client, SECRET, stageTokens, TOKEN_URL, TokenEndpoint } from './token-endpoint.ts';
import { privateJwk, testKey } from './tokens.ts';

const { clientSecret: _secret, ...anonymous } = client;
const key = testKey('k1', 'ES256');

const partsOf = (jwt: string): { header: Record<string, unknown>; payload: Record<string, unknown> } => {
  const [header, payload] = jwt
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
  return { header: header!, payload: payload! };
};

describe('client authentication', () => {
  it('sends HTTP Basic with form-encoded id and secret (RFC 6749 section 2.3.1)', async () => {
    const { endpoint, tokens } = stageTokens({ clientId: 'a:b', clientSecret: 'ä &+' });
    await tokens.getToken();
    const [{ headers, form }] = endpoint.requests as [(typeof endpoint.requests)[0]];
    const credentials = Buffer.from(headers['authorization']!.replace('Basic ', ''), 'base64').toString();
    expect(credentials).toBe('a%3Ab:%C3%A4+%26%2B');
    expect([...form.keys()]).toEqual(['grant_type']);
    expect(headers).toMatchObject({ accept: 'application/json' });
  });

  it('sends the secret in the body with client_secret_post', async () => {
    const { endpoint, tokens } = stageTokens({ clientAuth: 'client_secret_post' });
    await tokens.getToken();
    expect(Object.fromEntries(endpoint.requests[0]!.form)).toMatchObject({
      client_id: 'orders',
      client_secret: SECRET,
    });
    expect(endpoint.requests[0]!.headers).not.toHaveProperty('authorization');
  });

  it('calls a function for the secret before each request', async () => {
    let secret = 'first';
    const { endpoint, tokens } = stageTokens({ clientAuth: 'client_secret_post', clientSecret: () => secret });
    tokens.invalidate(await tokens.getToken());
    secret = 'second';
    await tokens.getToken();
    expect(endpoint.requests.map(({ form }) => form.get('client_secret'))).toEqual(['first', 'second']);
  });

  it('fails with reason credential when the function for the secret fails or returns nothing', async () => {
    for (const clientSecret of [() => '', () => Promise.reject(new Error('no vault')), (() => undefined) as never]) {
      const { endpoint, tokens } = stageTokens({ clientSecret });
      await expect(tokens.getToken()).rejects.toMatchObject({ reason: 'credential', retryable: true });
      expect(endpoint.calls).toBe(0);
    }
  });

  it('gives up a function for the secret that never settles after timeoutMs', async () => {
    const { clock, endpoint, tokens } = stageTokens({ clientSecret: () => new Promise(() => {}) });
    const refused = tokens.getToken().catch((error: unknown) => error);
    await clock.advance(5_000);
    expect(await refused).toMatchObject({ reason: 'credential', retryable: true });
    expect(endpoint.calls).toBe(0);
  });

  it.each(['ES256', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] as const)(
    'is shown by an assertion of %s',
    async (algorithm) => {
      const { privateKey } = testKey(undefined, algorithm);
      const clock = virtualClock();
      const endpoint = new TokenEndpoint();
      const tokens = clientCredentials({
        ...anonymous,
        privateKey: { key: privateKey, algorithm, kid: 'k7' },
        assertionAudience: 'https://id.example.com',
        fetch: endpoint.fetch,
        clock,
      });
      tokens.invalidate(await tokens.getToken());
      await tokens.getToken();
      const forms = endpoint.requests.map(({ form }) => form);
      expect(forms[0]!.get('client_assertion_type')).toBe('urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
      const [one, two] = forms.map((form) => partsOf(form.get('client_assertion')!)) as [
        ReturnType<typeof partsOf>,
        ReturnType<typeof partsOf>,
      ];
      expect(one.header).toEqual({ alg: algorithm, kid: 'k7' });
      const now = Math.floor(clock.now() / 1_000);
      expect(one.payload).toMatchObject({
        iss: 'orders',
        sub: 'orders',
        aud: 'https://id.example.com',
        iat: now,
        exp: now + 60,
      });
      expect(one.payload['jti']).not.toBe(two.payload['jti']);
    },
  );

  it('sends no secret only with clientAuth tls_client_auth or none', async () => {
    for (const clientAuth of ['tls_client_auth', 'none'] as const) {
      const endpoint = new TokenEndpoint();
      await clientCredentials({ ...anonymous, clientAuth, fetch: endpoint.fetch }).getToken();
      expect(Object.fromEntries(endpoint.requests[0]!.form)).toEqual({
        grant_type: 'client_credentials',
        client_id: 'orders',
      });
    }
  });
});

describe('the token request', () => {
  it('sends scope, audience and resource as the standards define them, lists as repeated parameters', async () => {
    const { endpoint, tokens } = stageTokens({
      scope: ['a', 'b'],
      audience: ['x', 'y'],
      resource: 'https://orders.example.com',
      parameters: { tenant: 't1' },
    });
    await tokens.getToken();
    const { form, url } = endpoint.requests[0]!;
    expect([...form]).toEqual([
      ['tenant', 't1'],
      ['scope', 'a b'],
      ['audience', 'x'],
      ['audience', 'y'],
      ['resource', 'https://orders.example.com'],
      ['grant_type', 'client_credentials'],
    ]);
    expect(url).toBe(TOKEN_URL);
    expect(tokens.describe()).toContain('scope a b for x, y');
    expect(tokens.describe()).not.toContain(SECRET);
  });

  it('sends a new JWT bearer assertion each time', async () => {
    const assertion = jwtAssertion({
      privateKey: { key: privateJwk(key), algorithm: 'ES256', kid: 'k1' },
      issuer: 'robot@example.com',
      subject: 'person@example.com',
      audience: TOKEN_URL,
      claims: { scope: 'mail' },
      clock: virtualClock(),
    });
    const endpoint = new TokenEndpoint();
    const tokens = jwtBearer({ ...client, assertion, fetch: endpoint.fetch });
    tokens.invalidate(await tokens.getToken());
    await tokens.getToken();
    const sent = endpoint.requests.map(({ form }) => form.get('assertion')!);
    expect(endpoint.requests[0]!.form.get('grant_type')).toBe('urn:ietf:params:oauth:grant-type:jwt-bearer');
    expect(sent[0]).not.toBe(sent[1]);
    const { header, payload } = partsOf(sent[0]!);
    expect(header).toEqual({ alg: 'ES256', typ: 'JWT', kid: 'k1' });
    expect(payload).toMatchObject({
      iss: 'robot@example.com',
      sub: 'person@example.com',
      aud: TOKEN_URL,
      scope: 'mail',
    });
    expect((payload['exp'] as number) - (payload['iat'] as number)).toBe(60);
    const [input, signature] = [sent[0]!.slice(0, sent[0]!.lastIndexOf('.')), sent[0]!.split('.')[2]!];
    const publicKey = createPublicKey(key.privateKey);
    expect(
      verify(
        'sha256',
        Buffer.from(input),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'),
      ),
    ).toBe(true);
  });

  it('sends the parameters of token exchange', async () => {
    let mine = 'of the workload';
    const endpoint = new TokenEndpoint();
    const tokens = tokenExchange({
      ...client,
      subjectToken: () => Promise.resolve(mine),
      subjectTokenType: 'urn:ietf:params:oauth:token-type:jwt',
      actorToken: 'of the actor',
      requestedTokenType: 'urn:ietf:params:oauth:token-type:access_token',
      fetch: endpoint.fetch,
    });
    tokens.invalidate(await tokens.getToken());
    mine = 'rotated';
    await tokens.getToken();
    expect(endpoint.requests.map(({ form }) => form.get('subject_token'))).toEqual(['of the workload', 'rotated']);
    expect(Object.fromEntries(endpoint.requests[0]!.form)).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'of the workload',
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      requested_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      actor_token: 'of the actor',
      actor_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    });
  });
});

it.each([
  ['urn:ietf:params:oauth:token-type:id_token', 'token-1'],
  ['urn:ietf:params:oauth:token-type:access_token', 'malformed'],
  [undefined, 'malformed'],
])(
  'a token of type N_A (RFC 8693 section 2.2.1) is accepted where a token of another type was requested: %s',
  async (type, got) => {
    const endpoint = new TokenEndpoint();
    endpoint.grant = { token_type: 'N_A', issued_token_type: 'urn:ietf:params:oauth:token-type:id_token' };
    const requestedType = type === undefined ? {} : { requestedTokenType: type };
    const tokens = tokenExchange({ ...client, subjectToken: 'a', fetch: endpoint.fetch, ...requestedType });
    const outcome = await tokens.getToken().catch((error: unknown) => (error as TokenRequestError).reason);
    expect(outcome).toBe(got);
  },
);

describe('tokenExchanges', () => {
  it('returns one client per subject token, with its own token', async () => {
    const endpoint = new TokenEndpoint();
    endpoint.respond = ({ form }) => endpoint.plain({ access_token: `ours-for-${form.get('subject_token')}` });
    await using exchanges = tokenExchanges({ ...client, fetch: endpoint.fetch });
    const got = await Promise.all(['alice', 'bob', 'alice', 'bob'].map((one) => exchanges.for(one).getToken()));
    expect(got).toEqual(['ours-for-alice', 'ours-for-bob', 'ours-for-alice', 'ours-for-bob']);
    expect(exchanges.for('alice')).toBe(exchanges.for('alice'));
    expect(exchanges.stats()).toEqual({ subjects: 2, requests: 2, failures: 0 });
  });

  it('keeps the most recently used clients, up to maxSubjects', async () => {
    const endpoint = new TokenEndpoint();
    const exchanges = tokenExchanges({ ...client, fetch: endpoint.fetch, maxSubjects: 2 });
    const alice = exchanges.for('alice');
    exchanges.for('bob');
    expect(exchanges.for('alice')).toBe(alice);
    exchanges.for('carol');
    expect(exchanges.stats().subjects).toBe(2);
    expect(exchanges.for('alice')).toBe(alice);
    expect(await exchanges.for('bob').getToken()).toBe('token-1');
  });

  it('lets a failure affect only its own subject', async () => {
    const endpoint = new TokenEndpoint();
    endpoint.respond = ({ form }) =>
      form.get('subject_token') === 'mallory'
        ? Response.json({ error: 'invalid_request' }, { status: 400 })
        : endpoint.plain();
    const exchanges = tokenExchanges({ ...client, fetch: endpoint.fetch });
    await expect(exchanges.for('mallory').getToken()).rejects.toBeInstanceOf(TokenRequestError);
    expect(await exchanges.for('alice').getToken()).toBe('token-2');
  });
});

describe('bearer()', () => {
  const context = { signal: new AbortController().signal };

  it('returns the current header fields synchronously, the same object each time', async () => {
    const { tokens } = stageTokens();
    const auth = bearer(tokens);
    expect(await auth.authorize({}, context)).toEqual({ authorization: 'Bearer token-1' });
    // The context is optional.
    const headers = auth.authorize();
    expect(headers).not.toBeInstanceOf(Promise);
    expect(auth.authorize({}, context)).toBe(headers);
    expect(Object.isFrozen(headers)).toBe(true);
  });

  it('does not replace a fixed token after a 401', () => {
    const auth = bearer('fixed');
    expect(auth.authorize({}, context)).toEqual({ authorization: 'Bearer fixed' });
    expect(auth.invalidate).toBeUndefined();
    expect(() => bearer('two\r\nlines')).toThrow(/bearer.tokens is a text that is not shown/);
  });

  it('stops waiting when the request is aborted', async () => {
    const { endpoint, tokens } = stageTokens();
    const release = endpoint.hold();
    const leaving = new AbortController();
    const headers = bearer(tokens).authorize({}, { signal: leaving.signal });
    leaving.abort(new Error('out of time'));
    await expect(headers).rejects.toThrow('out of time');
    release();
    expect(await tokens.getToken()).toBe('token-1');
  });
});

describe('options of token clients', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey;
  const rows: [name: string, options: Record<string, unknown>, path: RegExp][] = [
    ['a plain http URL', { tokenUrl: 'http://id.example.com/token' }, /tokenUrl/],
    ['credentials in the URL', { tokenUrl: 'https://a:b@id.example.com/token' }, /tokenUrl/],
    ['an empty id', { clientId: '' }, /clientId/],
    ['an empty secret', { clientSecret: '' }, /clientSecret/],
    ['no secret at all', { clientSecret: undefined }, /clientSecret/],
    ['a secret and a certificate', { clientAuth: 'tls_client_auth' }, /clientSecret/],
    ['a secret and a key', { privateKey: { key: key.privateKey, algorithm: 'ES256' } }, /clientSecret/],
    [
      'a key of another kind',
      { clientSecret: undefined, privateKey: { key: key.privateKey, algorithm: 'RS256' } },
      /privateKey.key/,
    ],
    ['a weak key', { clientSecret: undefined, privateKey: { key: weak, algorithm: 'RS256' } }, /privateKey.key/],
    ['a public key', { clientSecret: undefined, privateKey: { key: key.jwk, algorithm: 'ES256' } }, /privateKey.key/],
    ['an unknown method', { clientAuth: 'basic64' }, /clientAuth/],
    ['an empty scope', { scope: [''] }, /scope\[0\]/],
    ['an empty parameter', { parameters: { tenant: '' } }, /parameters.tenant/],
    ['a parameter that has an option', { parameters: { scope: 'a' } }, /parameters.scope/],
    ['a parameter that is sent anyway', { parameters: { grant_type: 'password' } }, /parameters.grant_type/],
    ['a parameter of an exchange', { parameters: { subject_token: 'a' } }, /parameters.subject_token/],
    ['a time limit of 0', { timeoutMs: 0 }, /timeoutMs/],
    ['a key that is none of ours', { dpop: {} }, /dpop/],
    ['a name it does not have', { scopes: 'a' }, /scopes/],
  ];
  it.each(rows)('reject %s', (_name, options, path) => {
    const make = (): unknown => clientCredentials({ ...client, ...options } as TokenClientOptions);
    expect(make).toThrow(OptionsError);
    expect(make).toThrow(path);
    expect(make).toThrow(expect.not.stringContaining(SECRET) as never);
  });

  it('accept http on loopback', () => {
    for (const host of ['localhost:1', '127.0.0.1:1', '[::1]:1']) {
      expect(() => clientCredentials({ ...client, tokenUrl: `http://${host}/token` })).not.toThrow();
    }
  });
});

// Not even a hash of the secret may be visible: for a short secret it would be as good as the secret.
it('a client reveals its secret in no property, description or count', () => {
  const { tokens } = stageTokens();
  const shown = JSON.stringify(tokens) + tokens.describe() + JSON.stringify(tokens.stats());
  expect(shown).not.toContain(SECRET);
  expect(shown).not.toContain(createHash('sha256').update(SECRET).digest('hex'));
});
