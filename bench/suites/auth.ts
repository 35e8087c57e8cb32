import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { Case, Contender, Suite } from '../src/suite.ts';

type Auth = typeof import('@macadam/auth');

const ISSUER = 'https://id.example.com';
const AUDIENCE = 'https://orders.example.com';
const secret = Buffer.alloc(64, 7);
const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function claimsFor(subject: string): object {
  const now = Math.floor(Date.now() / 1_000);
  const what = { iss: ISSUER, aud: AUDIENCE, sub: subject, client_id: 'shop', scope: 'orders:read orders:write' };
  return { ...what, jti: subject, iat: now, exp: now + 3_600 };
}

interface Key {
  readonly jwk: object;
  readonly sign: (input: string) => string;
}

/** Keys as an issuer has them: each made once in a process, by algorithm. */
function keyFor(algorithm: string): Key {
  if (algorithm === 'HS256') {
    const mac = (input: string): string => createHmac('sha256', secret).update(input).digest('base64url');
    return { jwk: { kty: 'oct', k: secret.toString('base64url') }, sign: mac };
  }
  const pair = (
    {
      RS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
      PS256: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }),
      ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      EdDSA: () => generateKeyPairSync('ed25519'),
    } as Record<string, () => ReturnType<typeof generateKeyPairSync>>
  )[algorithm]!();
  const key = pair.privateKey as unknown as import('node:crypto').KeyObject;
  const publicKey = pair.publicKey as unknown as import('node:crypto').KeyObject;
  const how = { key, dsaEncoding: 'ieee-p1363' as const, ...(algorithm === 'PS256' && { padding: 6, saltLength: 32 }) };
  const hash = algorithm === 'EdDSA' ? null : 'sha256';
  return {
    jwk: publicKey.export({ format: 'jwk' }),
    sign: (input) => sign(hash, Buffer.from(input), how).toString('base64url'),
  };
}

function tokenBy(key: Key, algorithm: string, subject = 'u1'): string {
  const input = `${encode({ alg: algorithm, typ: 'at+jwt', kid: 'k1' })}.${encode(claimsFor(subject))}`;
  return `${input}.${key.sign(input)}`;
}

function verifierOf({ createJwtVerifier, createHmacVerifier }: Auth, algorithm: string, key: Key, cache?: false) {
  const rules = { issuer: ISSUER, audience: AUDIENCE, ...(cache === undefined ? {} : { cache }) };
  if (algorithm === 'HS256') {
    return createHmacVerifier({ ...rules, algorithm, secrets: [{ secret: new Uint8Array(secret), kid: 'k1' }] });
  }
  const jwks = { keys: [{ ...key.jwk, kid: 'k1' }] };
  const { issuer, audience, ...more } = rules;
  return createJwtVerifier({ issuers: [{ issuer, audience, algorithms: [algorithm as 'ES256'], jwks }], ...more });
}

const macadam = (name: string, setup: (auth: Auth) => () => unknown): Contender => ({
  name,
  from: '@macadam/auth',
  setup: async () => ({ run: setup(await import('@macadam/auth')) }),
});

function uncached(algorithm: string): Case {
  return {
    name: `verify ${algorithm}, never seen`,
    what: 'Signature, issuer, audience, type and times. Macadam also reads the token strictly and freezes the result.',
    contenders: [
      macadam('macadam', (auth) => {
        const key = keyFor(algorithm);
        const verifier = verifierOf(auth, algorithm, key, false);
        const token = tokenBy(key, algorithm);
        return () => verifier.verify(token);
      }),
      {
        name: 'jose jwtVerify',
        from: 'jose',
        setup: async () => {
          const { importJWK, jwtVerify } = await import('jose');
          const key = keyFor(algorithm);
          // Imported as a CryptoKey: the quickest that jose can be given.
          const usages: KeyUsage[] = ['verify'];
          const imported =
            algorithm === 'HS256'
              ? await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, usages)
              : await importJWK({ ...key.jwk }, algorithm);
          const token = tokenBy(key, algorithm);
          const options = { issuer: ISSUER, audience: AUDIENCE, algorithms: [algorithm], typ: 'at+jwt' };
          return { run: () => jwtVerify(token, imported, options) };
        },
      },
    ],
    claims: [{ of: 'macadam', to: 'jose jwtVerify', atMost: 1.15 }],
  };
}

type KeyUsage = 'verify';

const cached: Case = {
  name: 'verify, seen before',
  what: 'A token that was verified a moment ago, by ES256. fast-jwt and Macadam remember it; jsonwebtoken cannot (HS256, its quickest).',
  contenders: [
    macadam('macadam', (auth) => {
      const key = keyFor('ES256');
      const verifier = verifierOf(auth, 'ES256', key);
      const token = tokenBy(key, 'ES256');
      return () => verifier.verify(token);
    }),
    {
      name: 'fast-jwt, cached',
      from: 'fast-jwt',
      setup: async () => {
        const { createVerifier } = await import('fast-jwt');
        const { createPublicKey } = await import('node:crypto');
        const key = keyFor('ES256');
        const pem = createPublicKey({ key: key.jwk as never, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
        const verify = createVerifier({
          key: pem,
          cache: true,
          algorithms: ['ES256'],
          allowedIss: ISSUER,
          allowedAud: AUDIENCE,
        });
        const token = tokenBy(key, 'ES256');
        return { run: () => verify(token) as unknown };
      },
    },
    {
      name: 'jsonwebtoken, HS256',
      from: 'jsonwebtoken',
      setup: async () => {
        const { default: jsonwebtoken } = await import('jsonwebtoken');
        const { createSecretKey } = await import('node:crypto');
        const token = tokenBy(keyFor('HS256'), 'HS256');
        const key = createSecretKey(secret);
        return {
          run: () => jsonwebtoken.verify(token, key, { algorithms: ['HS256'], issuer: ISSUER, audience: AUDIENCE }),
        };
      },
    },
  ],
  claims: [{ of: 'macadam', to: 'fast-jwt, cached', atMost: 0.7 }],
};

/** One token after another out of 100,000. Whatever is remembered of them must not be more than was asked for. */
function manyTokens(name: string, cache?: false): Contender {
  return {
    name,
    from: '@macadam/auth',
    setup: async () => {
      const key = keyFor('HS256');
      const verifier = verifierOf(await import('@macadam/auth'), 'HS256', key, cache);
      const tokens = Array.from({ length: 100_000 }, (_, n) => tokenBy(key, 'HS256', `user-${n}`));
      let at = 0;
      return {
        run: () => verifier.verify(tokens[at++ % tokens.length]!),
        close: () => {
          const { entries, bytes } = verifier.stats().cache;
          if (entries > 10_000 || bytes > 16_777_216) throw new Error(`${entries} tokens of ${bytes} bytes are kept.`);
          return verifier.close();
        },
      };
    },
  };
}

const many: Case = {
  name: '100,000 distinct tokens',
  what: 'One token after another out of 100,000, by HS256: what the caches cost when they hardly ever help. At the end no more than 10,000 tokens and 16 MiB are kept, or the run fails.',
  contenders: [manyTokens('macadam, 10,000 remembered'), manyTokens('macadam, none remembered', false)],
  claims: [{ of: 'macadam, 10,000 remembered', to: 'macadam, none remembered', atMost: 1.5 }],
};

interface User {
  readonly subject: string;
  readonly roles: readonly string[];
}
interface Order {
  readonly kind: string;
  readonly ownerId: string;
}
/** 1,000 rules: ten verbs on each of 100 kinds, half of them for owners. */
const RULES = Array.from({ length: 1_000 }, (_, n) => ({
  id: `rule-${n}`,
  kind: `kind${n % 100}`,
  verb: `verb${Math.floor(n / 100)}`,
  owned: n % 2 === 0,
}));
const user: User = { subject: 'u1', roles: ['staff'] };
const order: Order = { kind: 'kind42', ownerId: 'u1' };

const permissions: Case = {
  name: 'permission out of 1,000 rules',
  what: 'May this user do verb5 to this order of kind42, which is theirs? The rule looks at its owner.',
  contenders: [
    macadam('macadam', ({ definePermissions }) => {
      const can = definePermissions<User, Order>({
        rules: RULES.map(({ id, kind, verb, owned }) => ({
          id,
          actions: [`${kind}:${verb}`],
          ...(owned ? { where: { ownerId: { principal: 'subject' } } } : { roles: ['staff'] }),
        })),
      });
      if (!can(user, 'kind42:verb5', order).allowed) throw new Error('It should be allowed.');
      return () => can(user, 'kind42:verb5', order).allowed;
    }),
    {
      name: 'CASL',
      from: '@casl/ability',
      setup: async () => {
        const { createMongoAbility, subject } = await import('@casl/ability');
        // An ability is made for one user; making it is not measured.
        const ability = createMongoAbility(
          RULES.map(({ kind, verb, owned }) => ({
            action: verb,
            subject: kind,
            ...(owned && { conditions: { ownerId: user.subject } }),
          })),
        );
        const target = subject('kind42', { ...order });
        if (!ability.can('verb5', target)) throw new Error('It should be allowed.');
        return { run: () => ability.can('verb5', target) };
      },
    },
    {
      name: 'casbin',
      from: 'casbin',
      setup: async () => {
        const { newEnforcer, newModelFromString } = await import('casbin');
        const enforcer = await newEnforcer(newModelFromString(CASBIN));
        await enforcer.addPolicies(RULES.map(({ kind, verb, owned }) => [owned ? 'owner' : 'staff', kind, verb]));
        const request = { ...user, kind: order.kind, ownerId: order.ownerId };
        if (!enforcer.enforceSync(request, order, 'verb5')) throw new Error('It should be allowed.');
        return { run: () => enforcer.enforceSync(request, order, 'verb5') };
      },
    },
  ],
  claims: [
    { of: 'macadam', to: 'CASL', atMost: 1 },
    { of: 'macadam', to: 'casbin', atMost: 0.2 },
  ],
};

const CASBIN = `
[request_definition]
r = sub, obj, act
[policy_definition]
p = sub, obj, act
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = r.obj.kind == p.obj && r.act == p.act && (p.sub == "staff" || r.obj.ownerId == r.sub.subject)
`;

const crowded: Case = {
  name: '1,000 rules about one action',
  what: 'One rule for each of 1,000 owners, none of which applies: all of them are looked at.',
  contenders: [
    macadam('macadam', ({ definePermissions }) => {
      const can = definePermissions<User, Order>({
        rules: RULES.map(({ id }) => ({ id, actions: ['order:read'], where: { ownerId: id } })),
      });
      return () => can(user, 'order:read', order).allowed;
    }),
    {
      name: 'CASL',
      from: '@casl/ability',
      setup: async () => {
        const { createMongoAbility, subject } = await import('@casl/ability');
        const rules = RULES.map(({ id }) => ({ action: 'read', subject: 'order', conditions: { ownerId: id } }));
        const ability = createMongoAbility(rules);
        const target = subject('order', { ...order });
        return { run: () => ability.can('read', target) };
      },
    },
  ],
  claims: [{ of: 'macadam', to: 'CASL', atMost: 1 }],
};

const signing: Case = {
  name: 'sign and verify a request',
  what: 'RFC 9421 with Ed25519 over method, target and the digest of a small body, beside the two signatures alone.',
  contenders: [
    macadam('macadam', ({ signRequest, verifyRequest }) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const request = { method: 'POST', url: `${AUDIENCE}/orders`, headers: {}, body: '{"sku":"a1"}' };
      const found = { key: publicKey, algorithm: 'ed25519' as const };
      return async () => {
        const headers = await signRequest(request, { key: privateKey, keyId: 'k1', algorithm: 'ed25519' });
        return verifyRequest({ ...request, headers }, { resolveKey: () => found });
      };
    }),
    {
      name: 'Ed25519 alone',
      setup: async () => {
        const { verify } = await import('node:crypto');
        const { privateKey, publicKey } = generateKeyPairSync('ed25519');
        const base = Buffer.alloc(300, 'a');
        return { run: () => verify(null, base, publicKey, sign(null, base, privateKey)) };
      },
    },
  ],
  claims: [{ of: 'macadam', to: 'Ed25519 alone', atMost: 2 }],
};

const tokens: Case = {
  name: 'token at hand',
  what: 'An access token of a client that has one, without waiting and as a promise: what each outgoing call pays. A microsecond is one by the clock, of doing nothing else.',
  contenders: [
    ...(['peekToken', 'getToken'] as const).map((how): Contender => ({
      name: `macadam ${how}`,
      from: '@macadam/auth',
      setup: async () => {
        const { clientCredentials } = await import('@macadam/auth');
        const client = clientCredentials({
          tokenUrl: `${ISSUER}/token`,
          clientId: 'shop',
          clientSecret: 'a secret of the bench',
          fetch: () =>
            Promise.resolve(Response.json({ access_token: 'abc', token_type: 'Bearer', expires_in: 3_600 }) as never),
        });
        await client.getToken();
        if (client.peekToken() !== 'abc') throw new Error('The token should be at hand.');
        return { run: () => client[how](), close: () => client.close() };
      },
    })),
    { name: 'async function', setup: () => Promise.resolve({ run: () => Promise.resolve('abc') }) },
    {
      name: 'one microsecond',
      setup: () =>
        Promise.resolve({
          run: () => {
            const until = performance.now() + 0.001;
            while (performance.now() < until);
          },
        }),
    },
  ],
  claims: [
    { of: 'macadam peekToken', to: 'one microsecond', atMost: 1 },
    { of: 'macadam getToken', to: 'one microsecond', atMost: 1 },
  ],
};

export const suite: Suite = {
  name: 'auth',
  what: 'What it costs to know who asks and whether they may. Every contender checks issuer, audience and times.',
  cases: [
    cached,
    ...['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'].map(uncached),
    many,
    tokens,
    permissions,
    crowded,
    signing,
  ],
};
