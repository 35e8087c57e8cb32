// One row for each class of mistake that the public vectors for JWS and JWK look for (Project Wycheproof, the examples of
// RFC 7515, RFC 7520 and RFC 8037), created with our own keys. Vectors that contradict each other are at the end, with the
// decision made here.
import { constants, createHash, createHmac, privateEncrypt, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createHmacJwsVerifier, createJwsVerifier, type JsonWebKey, type JwtAlgorithm } from '../src/index.ts';
import { base64url, makeToken, privateJwk, reasonOf, type TestKey, testKey } from './tokens.ts';

const RSA: readonly JwtAlgorithm[] = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const ALL: readonly JwtAlgorithm[] = [...RSA, 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'];

/** The result of verifying content with a key: `accepted`, the reason of the rejection, or that the key was rejected. */
async function verdict(jwk: JsonWebKey, algorithms: readonly JwtAlgorithm[], jws: string): Promise<string> {
  let verifier;
  try {
    verifier = createJwsVerifier({ algorithms, jwks: { keys: [jwk] } });
  } catch {
    return 'key refused';
  }
  return await reasonOf(verifier.verify(jws));
}

describe('valid vectors', () => {
  it.each(ALL)('RFC 7515, 7520, 8037: %s, with a key with or without use, key_ops and alg', async (algorithm) => {
    const key = testKey('bilbo.baggins@hobbiton.example', algorithm);
    const { use: _use, ...bare } = key.jwk;
    const jws = makeToken(key, 'It’s a dangerous business.', { typ: undefined });
    for (const more of [
      {},
      { use: 'sig' },
      { key_ops: ['verify'] },
      { alg: algorithm },
      { use: 'sig', alg: algorithm },
    ]) {
      expect(await verdict({ ...bare, ...more }, [algorithm], jws)).toBe('accepted');
    }
    const anonymous = testKey(undefined, algorithm);
    expect(await verdict(anonymous.jwk, [algorithm], makeToken(anonymous, 'x'))).toBe('accepted');
  });

  it.each([
    ['HS256', 32],
    ['HS384', 48],
    ['HS512', 64],
  ] as const)('%s with a key as long as the hash, and longer', async (algorithm, bytes) => {
    for (const length of [bytes, bytes + 1, 200]) {
      const secret = new Uint8Array(length).fill(7);
      const input = `${base64url(`{"alg":"${algorithm}"}`)}.Zm9v`;
      const mac = createHmac(`sha${algorithm.slice(2)}`, secret)
        .update(input)
        .digest('base64url');
      const verifier = createHmacJwsVerifier({ algorithm, secrets: [{ secret }] });
      expect(await reasonOf(verifier.verify(`${input}.${mac}`))).toBe('accepted');
    }
  });

  it.each([
    ['spaces', '{ "alg" : "ES256" , "kid" : "k1" }'],
    ['line breaks and tabs, as in RFC 7515 A.1', '{"kid":"k1",\r\n\t"alg":"ES256"}'],
    ['escapes', '{"k\\u0069d":"k1","alg":"\\u0045S256"}'],
    ['unknown members', '{"alg":"ES256","kid":"k1","x-trace":[{"a":"}:{"}]}'],
  ])('a header with %s', async (_what, header) => {
    const key = testKey('k1');
    expect(await verdict(key.jwk, ['ES256'], makeToken(key, 'x', header))).toBe('accepted');
  });

  it('Wycheproof SpecialCaseEs256: the other signature that the curve allows', async () => {
    const key = testKey('k1');
    const [head, body, signature = ''] = makeToken(key, 'x').split('.');
    const bytes = Buffer.from(signature, 'base64url');
    const s = BigInt(`0x${bytes.subarray(32).toString('hex')}`);
    const other = Buffer.from((ORDER - s).toString(16).padStart(64, '0'), 'hex');
    const flipped = base64url(Buffer.concat([bytes.subarray(0, 32), other]));
    expect(await verdict(key.jwk, ['ES256'], `${head}.${body}.${flipped}`)).toBe('accepted');
  });
});

/** The order of P-256. */
const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

describe('invalid vectors', () => {
  const key = testKey('k1');
  const good = makeToken(key, 'foo');
  const [head = '', body = '', signature = ''] = good.split('.');
  const modified = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;

  it.each<[string, string]>([
    ['a modified signature', `${head}.${body}.${modified(signature)}`],
    ['a modified payload', `${head}.${base64url('bar')}.${signature}`],
    ['a modified header', makeToken({ ...key, kid: 'X1' }, 'foo')],
    ['no signature', `${head}.${body}.`],
    ['no signature and no dot', `${head}.${body}`],
    ['no payload', `${head}..${signature}`],
    ['no payload and no dot', `${head}.${signature}`],
    ['no header', `.${body}.${signature}`],
    ['no header and no dot', `${body}.${signature}`],
    ['a payload alone', `.${body}.`],
    ['a payload alone, without dots', body],
    ['nothing', ''],
    ['dots', '..'],
    ['one more part, empty', `${good}.`],
    ['one more part', `${good}.foo`],
    ['the algorithm none', `${base64url('{"alg":"none"}')}.${body}.`],
    ['the algorithm NONE', `${base64url('{"alg":"NONE"}')}.${body}.`],
    ['the algorithm none, with the key named', `${base64url('{"alg":"none","kid":"k1"}')}.${body}.`],
    ['the algorithm none, signed all the same', makeToken(key, 'foo', { alg: 'none' })],
    ['no algorithm', makeToken(key, 'foo', '{"kid":"k1"}')],
    ['an algorithm that is not a string', makeToken(key, 'foo', '{"alg":["ES256"],"kid":"k1"}')],
    ['JSON serialization', JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] })],
    ['an embedded key', makeToken(testKey('k1', 'ES256', 1), 'foo', { jwk: testKey('k1', 'ES256', 1).jwk })],
    ['spaces in the signature', `${head}.${body}.    ${signature}`],
    ['a strange character before the signature', `${head}.${body}.?${signature}`],
    ['a strange character after it', `${head}.${body}.${signature}?`],
    ['spaces after the header', `${head}    .${body}.${signature}`],
    ['strange characters in the payload', `${head}.####${body}.${signature}`],
    ['padding', `${head}.${body}.${signature}==`],
    ['a line break', `${good}\n`],
  ])('%s', async (_what, jws) => {
    expect(await verdict(key.jwk, ['ES256'], jws)).not.toBe('accepted');
  });

  it('non-canonical spellings that were signed as they are', async () => {
    const signed = (header: string, payload: string): string => {
      const input = `${header}.${payload}`;
      const options = { key: key.privateKey, dsaEncoding: 'ieee-p1363' as const };
      return `${input}.${base64url(sign('sha256', Buffer.from(input), options))}`;
    };
    expect(await verdict(key.jwk, ['ES256'], signed(head, body))).toBe('accepted');
    for (const [header, payload] of [
      [`${head}    `, body],
      [`${head}####`, body],
      [head, `    ${body}`],
      [head, `?${body}`],
      // One byte, and unused bits that are not zero.
      [head, 'AB'],
      [head, 'A'],
      [head, `${base64url('ab')}=`],
      [head, 'a+/a'],
    ] as const) {
      expect(await verdict(key.jwk, ['ES256'], signed(header, payload))).toBe('malformed');
    }
  });

  it('Wycheproof rejectsSymmetryConfusion: the bytes of a public key as a secret', async () => {
    const input = `${base64url('{"alg":"HS256","kid":"k1"}')}.${body}`;
    for (const bytes of [
      Buffer.from(key.jwk['x'] as string, 'base64url'),
      Buffer.from(JSON.stringify(key.jwk)),
      Buffer.from(key.jwk['x'] as string),
    ]) {
      const mac = createHmac('sha256', bytes).update(input).digest('base64url');
      expect(await verdict(key.jwk, ['ES256'], `${input}.${mac}`)).toBe('algorithm');
    }
  });

  it('Wycheproof WrongPrimitive: a key with alg is used with no other algorithm', async () => {
    for (const algorithm of RSA) {
      const jwk = { ...testKey('k1', algorithm).jwk, alg: algorithm };
      for (const used of RSA) {
        const jws = makeToken(testKey('k1', used), 'x');
        expect(await verdict(jwk, RSA, jws)).toBe(used === algorithm ? 'accepted' : 'keyUnknown');
        // Naming the algorithm of the key over a signature by another one does not help either.
        const [, payload, made] = jws.split('.');
        const claimed = `${makeToken(testKey('k1', algorithm), 'x').split('.')[0]}.${payload}.${made}`;
        expect(await verdict(jwk, RSA, claimed)).toBe(used === algorithm ? 'accepted' : 'signature');
      }
    }
  });
});

describe('Wycheproof ModifiedPadding', () => {
  const key = testKey('k1', 'RS256');
  const input = `${base64url('{"alg":"RS256","kid":"k1"}')}.${base64url('foo')}`;
  const digest = createHash('sha256').update(input).digest();
  const OID = Buffer.from('0609608648016503040201', 'hex');
  const NULL = Buffer.from('0500', 'hex');
  const der = (tag: number, ...content: Uint8Array[]): Buffer => {
    const whole = Buffer.concat(content);
    return Buffer.concat([Buffer.from([tag, whole.length]), whole]);
  };
  const info = (algorithm: Buffer, hash: Buffer): Buffer => der(0x30, algorithm, hash);
  const sha256 = der(0x30, OID, NULL);
  const octets = der(0x04, digest);
  const right = info(sha256, octets);

  /** 00 01 ff … ff 00, followed by the given bytes. */
  function signed(content: Uint8Array, change: (block: Buffer) => Buffer = (block) => block): string {
    const head = Buffer.concat([Buffer.from([0, 1]), Buffer.alloc(256 - 3 - content.length, 0xff), Buffer.from([0])]);
    const block = change(Buffer.concat([head, content]));
    return `${input}.${base64url(privateEncrypt({ key: key.privateKey, padding: constants.RSA_NO_PADDING }, block))}`;
  }
  const at = (index: number, value: number) => (block: Buffer) => {
    const other = Buffer.from(block);
    other[index] = value;
    return other;
  };
  const longForm = (content: Buffer): Buffer => Buffer.concat([Buffer.from([0x30, 0x81]), content.subarray(1)]);

  it('the padding block built here is the right one', async () => {
    expect(await verdict(key.jwk, ['RS256'], signed(right))).toBe('accepted');
  });

  it.each<[string, string]>([
    ['no NULL behind the algorithm', signed(info(der(0x30, OID), octets))],
    ['a length in long form', signed(longForm(right))],
    ['a length in long form, inside', signed(info(longForm(sha256), octets))],
    ['an indefinite length', signed(Buffer.concat([Buffer.from([0x30, 0x80]), right.subarray(2), Buffer.alloc(2)]))],
    ['a sequence that says it is longer', signed(at(1, right[1]! + 1)(right))],
    ['a sequence that says it is shorter', signed(at(1, right[1]! - 1)(right))],
    ['an empty sequence', signed(Buffer.from([0x30, 0]))],
    ['garbage behind', signed(Buffer.concat([right, Buffer.from('garbage')]))],
    ['garbage inside', signed(info(der(0x30, OID, NULL, Buffer.from('0500', 'hex')), octets))],
    ['garbage behind the hash', signed(info(sha256, Buffer.concat([octets, NULL])))],
    ['a truncated hash', signed(info(sha256, der(0x04, digest.subarray(0, 31))))],
    ['a hash with another tag', signed(info(sha256, der(0x03, digest)))],
    ['the hash alone', signed(digest)],
    ['another hash named', signed(info(der(0x30, Buffer.from('0609608648016503040202', 'hex'), NULL), octets))],
    ['an unknown hash named', signed(info(der(0x30, Buffer.from('06052b0e03021a', 'hex'), NULL), octets))],
    ['another hash', signed(info(sha256, der(0x04, Buffer.alloc(32))))],
    [
      'short padding and garbage (Bleichenbacher 2006)',
      signed(right, (block) => {
        const short = Buffer.concat([Buffer.from('0001ffffffffffffffff00', 'hex'), right]);
        return Buffer.concat([short, Buffer.alloc(block.length - short.length, 0x5a)]);
      }),
    ],
    ['a zero inside the padding', signed(right, at(20, 0))],
    ['a padding of another kind', signed(right, at(1, 2))],
    ['a padding that is not all ones', signed(right, at(20, 0xfe))],
    ['no separator', signed(right, at(256 - right.length - 1, 0xff))],
  ])('%s', async (_what, jws) => {
    expect(await verdict(key.jwk, ['RS256'], jws)).toBe('signature');
  });

  it.each([
    ['one byte short', (bytes: Buffer) => bytes.subarray(1)],
    ['one byte long', (bytes: Buffer) => Buffer.concat([Buffer.alloc(1), bytes])],
    ['empty but for a zero', () => Buffer.alloc(1)],
    ['all zeros', () => Buffer.alloc(256)],
    ['all ones', () => Buffer.alloc(256, 0xff)],
  ])('a signature that is %s', async (_what, change) => {
    const bytes = Buffer.from(signed(right).split('.')[2]!, 'base64url');
    expect(await verdict(key.jwk, ['RS256'], `${input}.${base64url(change(bytes))}`)).toBe('signature');
  });
});

describe('Wycheproof SpecialCaseEs256', () => {
  const key = testKey('k1');
  const [head, body, signature = ''] = makeToken(key, 'foo').split('.');
  const bytes = Buffer.from(signature, 'base64url');
  const number = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
  const edges: readonly [string, bigint][] = [
    ['0', 0n],
    ['1', 1n],
    ['n - 1', ORDER - 1n],
    ['n', ORDER],
    ['all ones', (1n << 256n) - 1n],
  ];
  const pairs = edges.flatMap(([r, one]) =>
    edges.map(([s, two]) => [r, s, Buffer.concat([number(one), number(two)])] as const),
  );
  it.each(pairs)('r is %s, s is %s', async (_r, _s, edge) => {
    expect(await verdict(key.jwk, ['ES256'], `${head}.${body}.${base64url(edge)}`)).toBe('signature');
  });

  it.each<[string, Uint8Array]>([
    [
      'zeros before each number',
      Buffer.concat([Buffer.alloc(1), bytes.subarray(0, 32), Buffer.alloc(1), bytes.subarray(32)]),
    ],
    ['zeros behind', Buffer.concat([bytes, Buffer.alloc(2)])],
    ['zeros before', Buffer.concat([Buffer.alloc(2), bytes])],
    ['much longer', Buffer.concat([Buffer.alloc(256), bytes.subarray(0, 32), Buffer.alloc(256), bytes.subarray(32)])],
    ['one byte short', bytes.subarray(0, 63)],
    ['half of it', bytes.subarray(0, 32)],
    ['DER', sign('sha256', Buffer.from(`${head}.${body}`), key.privateKey)],
    ['the two numbers swapped', Buffer.concat([bytes.subarray(32), bytes.subarray(0, 32)])],
  ])('a signature as %s', async (_what, other) => {
    expect(await verdict(key.jwk, ['ES256'], `${head}.${body}.${base64url(other)}`)).toBe('signature');
  });
});

describe('Wycheproof JsonWebKey', () => {
  const key = testKey('k1');
  const rsa = testKey('k1', 'RS256');
  const jws = makeToken(key, 'foo');
  const { x, y } = key.jwk as Record<'x' | 'y', string>;
  const alike = (text: string): string => `${text.startsWith('A') ? 'B' : 'A'}${text.slice(1)}`;
  it.each<[string, JsonWebKey, TestKey]>([
    ['a key for encryption', { ...key.jwk, use: 'enc' }, key],
    ['a key with other key_ops', { ...key.jwk, key_ops: ['encrypt'] }, key],
    ['an RSA key for encryption', { ...rsa.jwk, use: 'enc', alg: 'RSA1_5' }, rsa],
    ['an algorithm that does not exist', { ...key.jwk, alg: 'ES224' }, key],
    ['an algorithm of another curve', { ...key.jwk, alg: 'ES384' }, key],
    ['a point that is not on the curve', { ...key.jwk, y: alike(y) }, key],
    ['another curve', { ...key.jwk, crv: 'P-384' }, key],
    ['another kind', { ...key.jwk, kty: 'RSA' }, key],
    ['a coordinate in another encoding', { ...key.jwk, x: `${x}=` }, key],
    [
      'a coordinate with a zero before it',
      { ...key.jwk, x: base64url(Buffer.concat([Buffer.alloc(1), Buffer.from(x, 'base64url')])) },
      key,
    ],
    ['a private key', privateJwk(key), key],
    ['a shared secret', { kty: 'oct', k: base64url(new Uint8Array(32)), kid: 'k1' }, key],
    ['an exponent of 1', { ...rsa.jwk, e: 'AQ' }, rsa],
    ['an even exponent', { ...rsa.jwk, e: 'AQAA' }, rsa],
    ['1 024 bits', { ...rsa.jwk, n: (rsa.jwk['n'] as string).slice(0, 171) }, rsa],
  ])('%s', async (_what, jwk, signer) => {
    expect(await verdict(jwk, ['ES256', 'RS256'], signer === key ? jws : makeToken(signer, 'foo'))).toBe('key refused');
  });

  it.each<[string, JsonWebKey[]]>([
    ['shared and public keys', [{ kty: 'oct', k: base64url(new Uint8Array(32)), kid: 'k0' }, key.jwk]],
    ['private and public keys', [privateJwk(testKey('k0', 'ES256', 1)), key.jwk]],
    ['two keys with one kid', [key.jwk, testKey('k1', 'ES256', 1).jwk]],
  ])('a set with %s', (_what, keys) => {
    expect(() => createJwsVerifier({ algorithms: ['ES256'], jwks: { keys } })).toThrow('sound keys');
  });

  it.each([
    ['HS256', 31],
    ['HS384', 47],
    ['HS512', 63],
    ['HS256', 0],
  ] as const)('%s with %i bytes', (algorithm, bytes) => {
    expect(() => createHmacJwsVerifier({ algorithm, secrets: [{ secret: new Uint8Array(bytes) }] })).toThrow(
      'at least',
    );
  });

  it('rejects two secrets with one kid', () => {
    const secrets = [1, 2].map((fill) => ({ secret: new Uint8Array(32).fill(fill), kid: 'k1' }));
    expect(() => createHmacJwsVerifier({ algorithm: 'HS256', secrets })).toThrow('unique');
  });
});

// Some rows of Wycheproof are both valid and invalid. The strict result is required each time.
describe('vectors that contradict each other', () => {
  it('a key with alg PS256 does not verify PS384, although one vector says valid', async () => {
    const jws = makeToken(testKey('k1', 'PS384'), 'x');
    expect(await verdict({ ...testKey('k1', 'PS384').jwk, alg: 'PS256' }, RSA, jws)).toBe('keyUnknown');
  });

  it('a key with the unknown alg ES521 is not used', async () => {
    const key = testKey('k1', 'ES512');
    expect(await verdict({ ...key.jwk, alg: 'ES521' }, ['ES512'], makeToken(key, 'x'))).toBe('key refused');
  });

  it('characters outside base64url are rejected, although two vectors say valid', async () => {
    const key = testKey('k1');
    const [head = '', body = '', signature] = makeToken(key, 'Test').split('.');
    const inserted = (text: string): string => `${text.slice(0, -1)}?${text.slice(-1)}`;
    expect(await verdict(key.jwk, ['ES256'], `${inserted(head)}.${body}.${signature}`)).toBe('malformed');
    expect(await verdict(key.jwk, ['ES256'], `${head}.${inserted(body)}.${signature}`)).toBe('malformed');
  });
});
