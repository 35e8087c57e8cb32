// A32: the examples of RFC 9421, appendix B.2 to B.4, with its published test keys. Deterministic signatures are
// reproduced.
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { virtualClock } from '@macadam/testkit';
import { describe, expect, it } from 'vitest';
import {
  type RequestMessage,
  type ResolvedKey,
  type ResponseMessage,
  signRequest,
  verifyRequest,
  verifyResponse,
} from '../src/index.ts';

const CREATED = 1_618_884_473;
const clock = virtualClock({ now: CREATED * 1_000 });

const RSA_PSS = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----`;
const P256 = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----`;
const ED25519 = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----`;
const ED25519_PRIVATE = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF
-----END PRIVATE KEY-----`;
const SECRET = 'uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==';

const keys = new Map<string, ResolvedKey>([
  ['test-key-rsa-pss', { key: createPublicKey(RSA_PSS), algorithm: 'rsa-pss-sha512' }],
  ['test-key-ecc-p256', { key: createPublicKey(P256), algorithm: 'ecdsa-p256-sha256' }],
  ['test-key-ed25519', { key: createPublicKey(ED25519), algorithm: 'ed25519' }],
  ['test-shared-secret', { key: Buffer.from(SECRET, 'base64'), algorithm: 'hmac-sha256' }],
]);
const resolveKey = (name: string) => keys.get(name);

const request: RequestMessage = {
  method: 'POST',
  url: 'https://example.com/foo?param=Value&Pet=dog',
  headers: {
    host: 'example.com',
    date: 'Tue, 20 Apr 2021 02:07:55 GMT',
    'content-type': 'application/json',
    'content-digest':
      'sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:',
    'content-length': '18',
  },
  body: '{"hello": "world"}',
};
const response: ResponseMessage = {
  status: 200,
  headers: {
    date: 'Tue, 20 Apr 2021 02:07:56 GMT',
    'content-type': 'application/json',
    'content-digest':
      'sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:',
    'content-length': '23',
  },
  body: '{"message": "good dog"}',
};

/** A message with a signature of the appendix. */
function signed<M extends RequestMessage | ResponseMessage>(message: M, label: string, input: string, made: string): M {
  const headers = { 'signature-input': `${label}=${input}`, signature: `${label}=:${made}:` };
  return { ...message, headers: { ...(message.headers as object), ...headers } };
}

const parameters = (keyId: string): string => `;created=${CREATED};keyid="${keyId}"`;
const MINIMAL = `()${parameters('test-key-rsa-pss')};nonce="b3k2pp5k7z-50gnwp.yemd"`;
const SELECTIVE = `("@authority" "content-digest" "@query-param";name="Pet")${parameters('test-key-rsa-pss')};tag="header-example"`;
const FULL = `("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length")${parameters('test-key-rsa-pss')}`;
const BY_SECRET = `("date" "@authority" "content-type")${parameters('test-shared-secret')}`;
const BY_ED25519 = `("date" "@method" "@path" "@authority" "content-type" "content-length")${parameters('test-key-ed25519')}`;
const BY_P256 = `("@status" "content-type" "content-digest" "content-length")${parameters('test-key-ecc-p256')}`;

const MADE_BY_SECRET = 'pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=';
const MADE_BY_ED25519 = 'wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==';
const MADE_BY_P256 = 'wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==';

const verified = (message: RequestMessage) => verifyRequest(message, { resolveKey, clock, requiredComponents: [] });

describe('RFC 9421 B.2', () => {
  it.each([
    [
      'B.2.1, minimal, RSA-PSS',
      MINIMAL,
      'd2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==',
    ],
    [
      'B.2.2, selective, RSA-PSS',
      SELECTIVE,
      'LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==',
    ],
    [
      'B.2.3, full, RSA-PSS',
      FULL,
      'bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==',
    ],
    ['B.2.5, a shared secret', BY_SECRET, MADE_BY_SECRET],
    ['B.2.6, Ed25519', BY_ED25519, MADE_BY_ED25519],
  ])('%s, is verified, and not for another message', async (_name, input, made) => {
    expect((await verified(signed(request, 'sig', input, made))).keyId).toMatch(/^test-/);
    const other = made.startsWith('A') ? `B${made.slice(1)}` : `A${made.slice(1)}`;
    await expect(verified(signed(request, 'sig', input, other))).rejects.toMatchObject({ reason: 'signature' });
    const later = input.replace(`${CREATED}`, `${CREATED + 1}`);
    await expect(verified(signed(request, 'sig', later, made))).rejects.toMatchObject({ reason: 'signature' });
    // A covered digest also covers the content.
    const changed = verified({ ...signed(request, 'sig', input, made), body: '{"hello": "earth"}' });
    if (input.includes('content-digest')) await expect(changed).rejects.toMatchObject({ reason: 'digest' });
    else await expect(changed).resolves.toBeDefined();
  });

  it('B.2.4, a response, ECDSA', async () => {
    const options = { resolveKey, clock, requiredComponents: ['@status', 'content-digest'] };
    const message = signed(response, 'sig-b24', BY_P256, MADE_BY_P256);
    expect(await verifyResponse(message, options)).toMatchObject({ label: 'sig-b24', algorithm: 'ecdsa-p256-sha256' });
    await expect(verifyResponse({ ...message, status: 201 }, options)).rejects.toMatchObject({ reason: 'signature' });
    await expect(verifyResponse({ ...message, body: '{}' }, options)).rejects.toMatchObject({ reason: 'digest' });
  });

  it('B.2.5 and B.2.6 are reproduced exactly', async () => {
    const secret = Buffer.from(SECRET, 'base64');
    const bare = { expires: false, nonce: false, clock } as const;
    const made = [
      await signRequest(request, {
        ...bare,
        key: secret,
        keyId: 'test-shared-secret',
        algorithm: 'hmac-sha256',
        components: ['date', '@authority', 'content-type'],
        label: 'sig-b25',
      }),
      await signRequest(request, {
        ...bare,
        key: createPrivateKey(ED25519_PRIVATE),
        keyId: 'test-key-ed25519',
        algorithm: 'ed25519',
        components: ['date', '@method', '@path', '@authority', 'content-type', 'content-length'],
        label: 'sig-b26',
      }),
    ];
    expect(made).toEqual([
      { 'signature-input': `sig-b25=${BY_SECRET}`, signature: `sig-b25=:${MADE_BY_SECRET}:` },
      { 'signature-input': `sig-b26=${BY_ED25519}`, signature: `sig-b26=:${MADE_BY_ED25519}:` },
    ]);
  });
});

describe('RFC 9421 B.4, the signature of a transformed message', () => {
  const url = 'https://example.org/demo?name1=Value1&Name2=value2';
  const date = 'Fri, 15 Jul 2022 14:24:55 GMT';
  const input = `("@method" "@path" "@authority" "accept")${parameters('test-key-ed25519')}`;
  const made = 'ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==';
  const original: RequestMessage = {
    method: 'GET',
    url,
    headers: { host: 'example.org', date, accept: ['application/json', '*/*'] },
  };

  it.each<[string, Partial<RequestMessage>]>([
    ['as it was', {}],
    [
      'with a field and a parameter more',
      { url: `${url}&param=added`, headers: { ...(original.headers as object), 'accept-language': 'en-US,en;q=0.5' } },
    ],
    [
      'with its lines joined and others exchanged',
      {
        headers: {
          host: 'example.org',
          referer: 'https://developer.example.org/demo',
          accept: 'application/json, */*',
        },
      },
    ],
    ['in another order', { headers: { accept: ['application/json', '*/*'], date, host: 'example.org' } }],
  ])('is valid %s', async (_what, change) => {
    expect((await verified(signed({ ...original, ...change }, 'transform', input, made))).label).toBe('transform');
  });

  it.each<[string, Partial<RequestMessage>]>([
    ['method and authority', { method: 'POST', url: url.replace('example.org', 'example.com') }],
    ['the order of the values', { headers: { host: 'example.org', date, accept: ['*/*', 'application/json'] } }],
    ['the path', { url: url.replace('/demo', '/Demo') }],
  ])('is not valid when %s was changed', async (_what, change) => {
    const message = signed({ ...original, ...change }, 'transform', input, made);
    await expect(verified(message)).rejects.toMatchObject({ reason: 'signature' });
  });
});
