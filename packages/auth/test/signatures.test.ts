// A32: HTTP message signatures. Signature bases are written by hand from RFC 9421, not by the code under test.
import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import { currentWork, OptionsError, runWork } from '@macadam/core';
import { virtualClock } from '@macadam/testkit';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  contentDigest,
  requestSigner,
  type RequestMessage,
  type ResponseMessage,
  SignatureError,
  type SignatureAlgorithm,
  type SigningAlgorithm,
  signRequest,
  type SignOptions,
  signResponse,
  verifyRequest,
  verifyResponse,
  type VerifySignatureOptions,
} from '../src/index.ts';

const clock = virtualClock();
const now = clock.now() / 1_000;
const secret = Buffer.alloc(32, 9);
const hmac = { key: secret, keyId: 'k1', algorithm: 'hmac-sha256', clock } as const;
const resolveKey = (keyId: string) => (keyId === 'k1' ? { key: secret, algorithm: 'hmac-sha256' as const } : undefined);

const order: RequestMessage = {
  method: 'POST',
  url: 'https://orders.example.com/orders?dry=1&tag=a&tag=b',
  headers: { 'content-type': 'application/json', accept: ['text/html', 'application/json'] },
  body: '{"sku":"a1"}',
};
const get: RequestMessage = { method: 'GET', url: 'https://orders.example.com/orders/7?x=1', headers: {} };

async function signed<M extends RequestMessage>(message: M, options: Partial<SignOptions> = {}): Promise<M> {
  const headers = await signRequest(message, { ...hmac, ...options });
  return { ...message, headers: { ...(message.headers as object), ...headers } };
}

async function outcome(message: RequestMessage, options: Partial<VerifySignatureOptions> = {}): Promise<unknown> {
  return await reason(verifyRequest(message, { resolveKey, clock, ...options }));
}

async function reason(verified: Promise<unknown>): Promise<unknown> {
  return await verified.then(
    () => 'accepted',
    (error: unknown) => (error instanceof SignatureError ? `${error.reason} ${error.header}` : error),
  );
}

/** A signature over lines that the test writes, as another implementation would create it. */
function byHand(lines: readonly string[], components: string, parameters = `;created=${now};keyid="k1"`) {
  const input = `(${components})${parameters}`;
  const base = [...lines, `"@signature-params": ${input}`].join('\n');
  const signature = createHmac('sha256', secret).update(base, 'latin1').digest('base64');
  return { 'signature-input': `sig1=${input}`, signature: `sig1=:${signature}:` };
}

/** Whether a message is verified against lines written by hand. */
async function matches(message: RequestMessage, lines: readonly string[], more: Partial<VerifySignatureOptions> = {}) {
  const components = lines.map((line) => line.slice(0, line.indexOf(': '))).join(' ');
  const headers = { ...(message.headers as object), ...byHand(lines, components) };
  return await outcome({ ...message, headers }, { requiredComponents: [], ...more });
}

describe('a signature', () => {
  it('A32: is created over exactly the signature base of the standard', async () => {
    const options = { created: now, nonce: 'n1', tag: 'shop', label: 'mine' } as const;
    const headers = await signRequest(order, { ...hmac, ...options });
    const input = `("@method" "@target-uri" "content-digest");created=${now};expires=${now + 300};keyid="k1";nonce="n1";tag="shop"`;
    const digest = contentDigest(order.body as string);
    const base = [
      '"@method": POST',
      '"@target-uri": https://orders.example.com/orders?dry=1&tag=a&tag=b',
      `"content-digest": ${digest}`,
      `"@signature-params": ${input}`,
    ].join('\n');
    const mac = createHmac('sha256', secret).update(base).digest('base64');
    expect(headers).toEqual({
      'content-digest': digest,
      'signature-input': `mine=${input}`,
      signature: `mine=:${mac}:`,
    });
  });

  it('returns the key id and the covered components', async () => {
    const message = await signed(order, { nonce: 'n1', tag: 'shop' });
    await runWork({ clock }, async () => {
      expect(await verifyRequest(message, { resolveKey, clock })).toEqual({
        label: 'sig1',
        keyId: 'k1',
        algorithm: 'hmac-sha256',
        components: ['"@method"', '"@target-uri"', '"content-digest"'],
        createdAtMs: clock.now(),
        expiresAtMs: clock.now() + 300_000,
        nonce: 'n1',
        tag: 'shop',
      });
      expect(currentWork()?.annotations).toEqual({ 'auth.method': 'http_signature', 'auth.key_id': 'k1' });
    });
  });

  const pair = {
    ed25519: generateKeyPairSync('ed25519'),
    'ecdsa-p256-sha256': generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    'ecdsa-p384-sha384': generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    'rsa-pss-sha512': generateKeyPairSync('rsa', { modulusLength: 2048 }),
  };
  it.each(Object.entries(pair))('is created and verified with %s, and with no other algorithm', async (name, keys) => {
    const algorithm = name as SigningAlgorithm;
    const message = await signed(order, { key: keys.privateKey, algorithm });
    const as = (key: KeyObject, one: SignatureAlgorithm) =>
      outcome(message, { resolveKey: () => ({ key, algorithm: one }) });
    expect(await as(keys.publicKey, algorithm)).toBe('accepted');
    expect(
      await outcome({ ...message, method: 'PUT' }, { resolveKey: () => ({ key: keys.publicKey, algorithm }) }),
    ).toBe('signature signature');
    for (const [other, { publicKey }] of Object.entries(pair)) {
      if (other === name) continue;
      // Neither a key of another type nor another algorithm for this key can be bound.
      expect(await as(publicKey, algorithm)).toBeInstanceOf(OptionsError);
      expect(await as(keys.publicKey, other as SignatureAlgorithm)).toBeInstanceOf(OptionsError);
    }
    const bytes = Buffer.from(keys.publicKey.export({ type: 'spki', format: 'der' }));
    expect(await outcome(message, { resolveKey: () => ({ key: bytes, algorithm: 'hmac-sha256' }) })).toBeInstanceOf(
      OptionsError,
    );
  });

  it('with rsa-v1_5-sha256 is verified, and never created', async () => {
    const { privateKey, publicKey } = pair['rsa-pss-sha512'];
    const { sign } = await import('node:crypto');
    const headers = await signRequest(get, {
      ...hmac,
      algorithm: 'rsa-pss-sha512',
      key: (base) => sign('sha256', base, privateKey),
    });
    const resolve = () => ({ key: publicKey, algorithm: 'rsa-v1_5-sha256' as const });
    expect(await outcome({ ...get, headers }, { resolveKey: resolve })).toBe('accepted');
    const made = signRequest(get, { ...hmac, key: privateKey, algorithm: 'rsa-v1_5-sha256' as never });
    await expect(made).rejects.toThrow(OptionsError);
  });

  it('is added to existing signatures, and one valid signature is enough', async () => {
    const once = await signed(order, { keyId: 'unknown', label: 'proxy' });
    const twice = await signed(once, { label: 'client' });
    expect(await outcome(twice)).toBe('accepted');
    expect((await verifyRequest(twice, { resolveKey, clock })).label).toBe('client');
    expect(await outcome(twice, { label: 'proxy' })).toBe('keyUnknown keyid');
    expect(await outcome(once)).toBe('keyUnknown keyid');
    await expect(signed(once, { label: 'proxy' })).rejects.toThrow(OptionsError);
    const headers = twice.headers as Record<string, string>;
    const odd = `odd=("@unheard-of");created=${now};keyid="k1", ${headers['signature-input']}`;
    expect(
      await outcome({
        ...twice,
        headers: { ...headers, 'signature-input': odd, signature: `odd=:AA==:, ${headers['signature']}` },
      }),
    ).toBe('accepted');
  });

  it('of a response covers its status and components of its request', async () => {
    const request = await signed(order);
    const response: ResponseMessage = {
      status: 201,
      headers: { 'content-type': 'application/json' },
      body: '{}',
      request,
    };
    const components = ['@status', 'content-digest', '@method;req', '@target-uri;req', 'signature;req;key="sig1"'];
    const headers = await signResponse(response, { ...hmac, components });
    const verify = (changed: object, required = components) =>
      reason(
        verifyResponse(
          { ...response, headers: { ...(response.headers as object), ...headers }, ...changed },
          { resolveKey, clock, requiredComponents: required },
        ),
      );
    expect(await verify({})).toBe('accepted');
    expect(await verify({ status: 200 })).toBe('signature signature');
    expect(await verify({ request: { ...request, url: `${request.url}&x=1` } })).toBe('signature signature');
    expect(await verify({ request: await signed(order) })).toBe('signature signature');
    expect(await verify({ request: undefined })).toBe('component "@method";req');
    expect(await verify({ body: '{"a":1}' })).toBe('digest content-digest');
    expect(await verify({}, ['@path;req'])).toBe('notCovered "@path";req');
  });
});

describe('derived components', () => {
  const odd: RequestMessage = {
    method: 'get',
    url: 'HTTPS://Orders.Example.com:443/a/../b%2F?q=%27%7E&e=#frag',
    headers: {},
  };
  it.each<[string, RequestMessage, string[]]>([
    [
      'of a plain request',
      get,
      [
        '"@method": GET',
        '"@authority": orders.example.com',
        '"@scheme": https',
        '"@path": /orders/7',
        '"@query": ?x=1',
        '"@request-target": /orders/7?x=1',
      ],
    ],
    [
      'are in the case and the spelling of the wire',
      odd,
      [
        '"@method": get',
        '"@target-uri": https://orders.example.com/a/../b%2F?q=%27%7E&e=',
        '"@path": /a/../b%2F',
        '"@query": ?q=%27%7E&e=',
      ],
    ],
    [
      'of an empty path and query',
      { ...get, url: 'http://h:8080' },
      ['"@target-uri": http://h:8080/', '"@authority": h:8080', '"@path": /', '"@query": ?', '"@request-target": /'],
    ],
    [
      'of a query that is empty but there',
      { ...get, url: 'http://h/?' },
      ['"@target-uri": http://h/?', '"@query": ?', '"@request-target": /?'],
    ],
    [
      'of a question mark in the fragment alone',
      { ...get, url: 'http://h/a#x?y' },
      ['"@target-uri": http://h/a', '"@query": ?', '"@request-target": /a'],
    ],
    ['of an empty port', { ...get, url: 'https://h:/' }, ['"@target-uri": https://h/', '"@authority": h']],
    ['of OPTIONS for a whole server', { ...get, method: 'OPTIONS', requestTarget: '*' }, ['"@request-target": *']],
    [
      'of query parameters, serialized again',
      { ...get, url: "https://h/?a=one+two&b=%E4%bd%a0!'()*~&fa%C3%A7ade%22%3A%20=x&bare&" },
      [
        '"@query-param";name="a": one%20two',
        '"@query-param";name="b": %E4%BD%A0%21%27%28%29*%7E',
        '"@query-param";name="fa%C3%A7ade%22%3A%20": x',
        '"@query-param";name="bare": ',
      ],
    ],
  ])('%s', async (_, message, lines) => {
    expect(await matches(message, lines)).toBe('accepted');
  });

  it.each<[string, RequestMessage, string]>([
    ['a parameter that is there twice', order, '"@query-param";name="tag": a'],
    ['a parameter that is not there', order, '"@query-param";name="none": '],
    ['a parameter that is not UTF-8', { ...get, url: 'https://h/?a=%FF' }, '"@query-param";name="a": %EF%BF%BD'],
    ['a parameter with a percent sign alone', { ...get, url: 'https://h/?a=100%' }, '"@query-param";name="a": 100%25'],
    ['an empty host', { ...get, url: 'https://:443/' }, '"@authority": '],
    ['a name that is not in canonical form', { ...get, url: 'https://h/?a%20b=1' }, '"@query-param";name="a b": 1'],
    ['the status of a request', get, '"@status": 200'],
    ['the request of a request', get, '"@method";req: GET'],
    ['user information', { ...get, url: 'https://u:p@h/' }, '"@authority": h'],
    ['a path that is no ASCII', { ...get, url: 'https://h/ä' }, '"@path": /%C3%A4'],
    ['a backslash', { ...get, url: 'https://h\\.evil/' }, '"@authority": h'],
  ])('%s cannot be signed for', async (_, message, line) => {
    expect(await matches(message, [line])).toMatch(/^component/);
  });

  it('with an unknown name or meaningless parameters are rejected', async () => {
    for (const name of [
      '"@signature-params"',
      '"@path";sf',
      '"@query-param"',
      '"Date"',
      '"date";bs;sf',
      '"date";x',
      '"date";req="a"',
      'date',
    ]) {
      expect(await matches(get, [`${name}: x`]), name).toBe('malformed signature-input');
      await expect(signed(get, { components: [name] }), name).rejects.toThrow(OptionsError);
    }
  });
});

describe('fields', () => {
  const message: RequestMessage = {
    ...get,
    headers: [
      ['X-Lines', ' one \t'],
      ['x-lines', 'two'],
      ['X-Empty', ''],
      ['X-Folded', 'a\r\n  b'],
      ['X-Dict', 'a=1,  b=2;x=1;y=2 ,c=( a   b )'],
      ['X-Bytes', 'caf\xe9, "x'],
      ['Priority', 'u=1,i'],
    ],
    trailers: { 'x-end': 'done' },
  };
  const verified = (lines: string[], more: Partial<VerifySignatureOptions> = {}) => matchesPairs(message, lines, more);
  async function matchesPairs(one: RequestMessage, lines: string[], more: Partial<VerifySignatureOptions>) {
    const components = lines.map((line) => line.slice(0, line.indexOf(': '))).join(' ');
    const pairs = [...(one.headers as [string, string][]), ...Object.entries(byHand(lines, components))];
    return await outcome({ ...one, headers: pairs }, { requiredComponents: [], ...more });
  }
  it.each<[string, string[]]>([
    ['on several lines are one value', ['"x-lines": one, two']],
    ['may be empty', ['"x-empty": ']],
    ['that were folded are one line', ['"x-folded": a b']],
    ['are covered by their bytes', ['"x-lines";bs: :b25l:, :dHdv:', '"x-bytes";bs: :Y2Fm6SwgIng=:']],
    [
      'that are dictionaries are covered member by member',
      ['"x-dict";key="a": 1', '"x-dict";key="b": 2;x=1;y=2', '"x-dict";key="c": (a b)'],
    ],
    ['that are registered as structured have one spelling', ['"priority";sf: u=1, i']],
    ['of the trailers', ['"x-end";tr: done']],
  ])('%s', async (_, lines) => {
    expect(await verified(lines)).toBe('accepted');
  });

  it('of an application are structured if configured', async () => {
    const lines = ['"x-dict";sf: a=1, b=2;x=1;y=2, c=(a b)'];
    expect(await verified(lines, { structuredFields: { 'x-dict': 'dictionary' } })).toBe('accepted');
    expect(await verified(lines)).toMatch(/^component/);
  });

  it.each<[string, string]>([
    ['that is missing', '"x-none": '],
    ['whose bytes are no ASCII', '"x-bytes": caf\xe9, "x'],
    ['without that member', '"x-dict";key="z": 1'],
    ['that is no dictionary', '"x-folded";key="a": a'],
    ['that is no trailer', '"x-lines";tr: one, two'],
  ])('%s cannot be signed for', async (_, line) => {
    expect(await verified([line])).toMatch(/^component/);
  });

  it('with a date that a reader could lose are distinguished from others', async () => {
    const structuredFields = { 'x-when': 'list' } as const;
    const headers = { 'x-when': '@99999999999999 , (@1);a=@02' };
    const lines = ['"x-when";sf: @99999999999999, (@1);a=@2'];
    expect(await matches({ ...get, headers }, lines, { structuredFields })).toBe('accepted');
    for (const other of ['@99999999999998, (@1);a=@2', '@99999999999999, (1);a=@2', '@99999999999999, (@1);a=2']) {
      const changed = { ...get, headers: { 'x-when': other } };
      expect(await matches(changed, lines, { structuredFields })).toBe('signature signature');
    }
  });

  it.each([
    ['%"%10"', '%"%010"'],
    ['%"%010"', '%"%10"'],
    ['%"%0a"', '%"%10"'],
    ['%"%00DC"', '%"%10"'],
    // An encoded D, which a serializer may use as a mark in the text.
    ['%""', '%"%44"'],
    ['%"@"', '%"%44T"'],
    ['%"%01"', '%"%44C1"'],
  ])('with the display string %s are distinguished from those with %s', async (value, other) => {
    const structuredFields = { 'x-note': 'item' } as const;
    const lines = [`"x-note";sf: ${value}`];
    const at = (note: string) => ({ ...get, headers: { 'x-note': note } });
    expect(await matches(at(value), lines, { structuredFields })).toBe('accepted');
    expect(await matches(at(other), lines, { structuredFields })).toBe('signature signature');
  });

  it('with line breaks are rejected, so that a value cannot forge a line of the signature base', async () => {
    const value = 'a\n"@method": DELETE';
    const injected = { ...get, headers: { 'x-a': value, ...byHand([`"x-a": ${value}`], '"x-a"') } };
    expect(await outcome(injected, { requiredComponents: [] })).toBe('component "x-a"');
  });

  it.each([
    ['a member twice', 'a=1, a=2', 'a'],
    ['a parameter twice', 'a=1;p=1;p=2', 'a'],
  ])('with %s are ambiguous and rejected', async (_, value, key) => {
    for (const written of ['1', '2', '1;p=1', '1;p=2', '1.0']) {
      const line = `"x-twice";key="${key}": ${written}`;
      expect(await matches({ ...get, headers: { 'x-twice': value } }, [line])).toMatch(/^component/);
    }
  });

  it('in a flat list of names and values are rejected', async () => {
    await expect(signed({ ...get, headers: ['Host', 'a'] as never })).rejects.toThrow(OptionsError);
  });
});

describe('digests', () => {
  it('A32: rafiki#654: are recomputed when they are covered', async () => {
    const message = await signed(order);
    expect(await outcome(message)).toBe('accepted');
    expect(await outcome({ ...message, body: Buffer.from(order.body as string) })).toBe('accepted');
    expect(await outcome({ ...message, body: '{"sku":"a2"}' })).toBe('digest content-digest');
    // A body that a parser consumed, or a middleware did not pass on, must not be treated as empty.
    expect(await outcome({ ...message, body: undefined })).toBe('digest content-digest');
    expect(await outcome({ ...message, body: JSON.parse(order.body as string) as never })).toBeInstanceOf(OptionsError);
  });

  it('are recomputed once for each field, however many of its members are signed', async () => {
    const names = Array.from({ length: 60 }, (_, n) => `m${n}`);
    const digest = [contentDigest(order.body!), ...names].join(', ');
    const components = ['@method', '@target-uri', 'content-digest', ...names.map((n) => `content-digest;key="${n}"`)];
    const message = await signed({ ...order, headers: { 'content-digest': digest } }, { components });
    let reads = 0;
    const counted = {
      ...message,
      get body() {
        reads++;
        return order.body!;
      },
    };
    expect(await outcome(counted)).toBe('accepted');
    expect(reads).toBeLessThan(5);
  });

  it('are required where there is content', async () => {
    const bare = await signed(order, { components: ['@method', '@target-uri'] });
    expect(await outcome(bare)).toBe('notCovered "content-digest"');
    const announced = { ...(await signed(get)), body: undefined };
    const headers = announced.headers as Record<string, string>;
    expect(await outcome({ ...announced, headers: { ...headers, 'content-length': '5' } })).toBe(
      'notCovered "content-digest"',
    );
    expect(await outcome({ ...announced, headers: { ...headers, 'transfer-encoding': 'chunked' } })).toBe(
      'notCovered "content-digest"',
    );
    expect(await outcome({ ...announced, headers: { ...headers, 'content-length': '0' } })).toBe('accepted');
  });

  it('are not required of a response without content, whatever its headers say', async () => {
    const headers = { 'content-length': '5' };
    for (const answer of [{ status: 304 }, { status: 204 }, { status: 200, request: { ...get, method: 'HEAD' } }]) {
      const added = await signResponse({ ...answer, headers }, hmac);
      const message = { ...answer, headers: { ...headers, ...added } };
      expect(await reason(verifyResponse(message, { resolveKey, clock }))).toBe('accepted');
    }
    const added = await signResponse({ status: 200, headers: {} }, hmac);
    const message = { status: 200, headers: { ...headers, ...added } };
    expect(await reason(verifyResponse(message, { resolveKey, clock }))).toBe('notCovered "content-digest"');
  });

  it('are required of a body that a parser has been at: it is rejected, not treated as empty', async () => {
    const bare = await signed({ ...get, method: 'POST' });
    expect(await outcome(bare)).toBe('accepted');
    for (const parsed of [{ admin: true }, {}, [1], 1, true, null, new ArrayBuffer(8)]) {
      expect(await outcome({ ...bare, body: parsed as never })).toMatchObject({ path: 'body' });
      await expect(signed({ ...get, body: parsed as never })).rejects.toMatchObject({ path: 'body' });
    }
    expect(() => contentDigest({} as never)).toThrow(OptionsError);
    expect(() => contentDigest('', 'md5' as never)).toThrow(OptionsError);
  });

  const body = order.body as string;
  const [good256, good512, bad512] = [
    contentDigest(body),
    contentDigest(body, 'sha-512'),
    contentDigest('x', 'sha-512'),
  ];
  it.each([
    [good512, 'accepted'],
    [`${good256}, ${good512}`, 'accepted'],
    [`unixsum=:AA==:, ${good256}`, 'accepted'],
    [`${good256}, ${bad512}`, 'digest content-digest'],
    ['md5=:FFFF:', 'digest content-digest'],
    [`${good256.replace('sha-256', 'sha')}`, 'digest content-digest'],
    ['sha-256="text"', 'digest content-digest'],
    ['sha-256=:AAAA:', 'digest content-digest'],
    ['sha-256=(1 2)', 'digest content-digest'],
    [`${good256}, ${contentDigest('x')}`, 'digest content-digest'],
    ['', 'digest content-digest'],
    ['not a dictionary"', 'digest content-digest'],
  ])('with the field %s: %s', async (digest, expected) => {
    const message = await signed({ ...order, headers: { 'content-digest': digest } });
    expect(await outcome(message)).toBe(expected);
  });

  it('of the representation are compared with it, encoded or not', async () => {
    const headers = { 'repr-digest': good256 };
    const components = ['@method', '@target-uri', 'content-digest', 'repr-digest'];
    expect(await outcome(await signed({ ...order, headers }, { components }))).toBe('accepted');
    const encoded = { ...order, body: 'gzip of it', headers: { ...headers, 'content-encoding': 'gzip' } };
    const message = await signed(encoded, { components });
    expect(await outcome(message)).toBe('digest repr-digest');
    expect(await outcome({ ...message, representation: body })).toBe('accepted');
    expect(await outcome({ ...message, representation: 'another' })).toBe('digest repr-digest');
  });

  it('of a stream must be supplied by the sender', async () => {
    const stream = { ...order, body: undefined, headers: { 'content-length': '12' } };
    await expect(signed(stream)).rejects.toThrow(/content-digest/);
    const message = await signed({ ...stream, headers: { ...stream.headers, 'content-digest': good256 } });
    expect(await outcome({ ...message, body })).toBe('accepted');
  });
});

describe('the policy', () => {
  it.each([
    [{ created: now - 300, expires: false }, 'accepted'],
    [{ created: now - 310, expires: false }, 'accepted'],
    [{ created: now - 311, expires: false }, 'tooOld created'],
    [{ created: now + 10 }, 'accepted'],
    [{ created: now + 11 }, 'tooNew created'],
    [{ created: now - 100, expires: now - 9 }, 'accepted'],
    [{ created: now - 100, expires: now - 10 }, 'expired expires'],
    [{ created: false, expires: now + 60 }, 'parameter created'],
  ] as const)('A32: judges the times %o: %s', async (options, expected) => {
    expect(await outcome(await signed(get, options))).toBe(expected);
  });

  it('can accept signatures without created', async () => {
    const message = await signed(get, { created: false, expires: false });
    expect(await outcome(message, { maxAgeMs: Infinity })).toBe('accepted');
    const ahead = await signed(get, { created: now + 60 });
    expect(await outcome(ahead, { maxAgeMs: Infinity })).toBe('tooNew created');
  });

  it('A32: httpsig-org#20: requires its components, whatever else was signed', async () => {
    const message = await signed(order, { components: ['content-type', '@query-param;name="dry"', 'content-digest'] });
    expect(await outcome(message)).toBe('notCovered "@method"');
    expect(await outcome(message, { requiredComponents: ['@query-param;name="dry"', 'content-digest'] })).toBe(
      'accepted',
    );
    expect(await outcome(message, { requiredComponents: ['@query-param;name="tag"'] })).toMatch(/^notCovered/);
    expect(await outcome(message, { requiredComponents: ['content-type;bs'] })).toMatch(/^notCovered/);
  });

  it('A32: requires a nonce with seen, and keeps it as long as the message is valid', async () => {
    const ids = new Map<string, number>();
    const seen = (id: string, keepMs: number) => {
      const known = ids.has(id);
      ids.set(id, keepMs);
      return known;
    };
    const message = await signed(get, { nonce: 'n1' });
    expect(await outcome(message, { seen })).toBe('accepted');
    expect(await outcome(message, { seen })).toBe('replayed nonce');
    expect([...ids]).toEqual([['["k1","n1"]', 320_001]]);
    expect(await outcome(await signed(get, { nonce: 'n2', expires: now + 30 }), { seen })).toBe('accepted');
    expect(ids.get('["k1","n2"]')).toBe(50_001);
    expect(await outcome(await signed(get, { nonce: false }), { seen })).toBe('parameter nonce');
    expect(await outcome(message, { seen: () => Promise.reject(new Error('down')) })).toBe('replayUnknown nonce');
    expect(await outcome(message, { seen: () => undefined as never })).toBe('replayed nonce');
    const forged = { ...(await signed(get, { nonce: 'n3' })), method: 'PUT' };
    expect(await outcome(forged, { seen })).toBe('signature signature');
    expect(ids.size).toBe(2);
  });

  describe('with seen and several valid signatures', () => {
    const keys: Record<string, Buffer> = { client: secret, proxy: Buffer.alloc(32, 8) };
    const lookup = (keyId: string) => keys[keyId] && { key: keys[keyId], algorithm: 'hmac-sha256' as const };
    const store = () => {
      const ids = new Map<string, number>();
      return { ids, seen: (id: string, keepMs: number) => ids.has(id) || (ids.set(id, keepMs), false) };
    };
    const both = async () => {
      const once = await signed(get, { keyId: 'client', label: 'client', nonce: 'n1' });
      return await signed(once, { keyId: 'proxy', key: keys['proxy']!, label: 'proxy', nonce: 'n2' });
    };
    const without = (message: RequestMessage, label: string): RequestMessage => ({
      ...message,
      headers: Object.fromEntries(
        Object.entries(message.headers as Record<string, string>).map(([name, value]) => [
          name,
          value
            .split(', ')
            .filter((one) => !one.startsWith(`${label}=`))
            .join(', '),
        ]),
      ),
    });

    it('A32: accepts a message once, also without one of its signatures', async () => {
      const message = await both();
      for (const again of [message, without(message, 'client'), without(message, 'proxy')]) {
        const { ids, seen } = store();
        expect(await outcome(message, { resolveKey: lookup, seen })).toBe('accepted');
        expect([...ids]).toEqual([
          ['["client","n1"]', 320_001],
          ['["proxy","n2"]', 320_001],
        ]);
        expect(await outcome(again, { resolveKey: lookup, seen })).toBe('replayed nonce');
      }
    });

    it('records the others when one was seen', async () => {
      const { ids, seen } = store();
      const message = await both();
      expect(await outcome(without(message, 'proxy'), { resolveKey: lookup, seen })).toBe('accepted');
      expect(await outcome(message, { resolveKey: lookup, seen })).toBe('replayed nonce');
      expect(ids.size).toBe(2);
    });

    it('records only valid ones, and asks once about a nonce that several have', async () => {
      const { ids, seen } = store();
      const once = await signed(get, { keyId: 'client', label: 'client', nonce: 'n1' });
      const twice = await signed(once, { keyId: 'client', label: 'again', nonce: 'n1', expires: now + 60 });
      const forged = await signed(twice, { keyId: 'proxy', label: 'proxy', nonce: 'n2' });
      expect(await outcome(forged, { resolveKey: lookup, seen })).toBe('accepted');
      expect([...ids]).toEqual([['["client","n1"]', 320_001]]);
    });

    it('rejects a message when one of them expires while the key of another is looked up', async () => {
      const slow = virtualClock({ settle: 'eventLoop' });
      const resolveKey = async (keyId: string) => {
        if (keyId === 'proxy') await slow.sleep(4_900);
        return lookup(keyId);
      };
      const { ids, seen } = store();
      const once = await signed(get, { keyId: 'client', label: 'client', expires: now + 2 });
      const message = await signed(once, { keyId: 'proxy', key: keys['proxy']!, label: 'proxy' });
      const judged = outcome(message, { resolveKey, seen, clock: slow, clockToleranceMs: 0 });
      await slow.advance(4_900);
      expect(await judged).toBe('expired expires');
      expect(ids.size).toBe(0);
    });

    it('rejects a message when one of them cannot be judged, and accepts it without seen', async () => {
      const { ids, seen } = store();
      const resolveKey = (keyId: string) =>
        keyId === 'proxy' ? Promise.reject(new Error('down')) : Promise.resolve(lookup(keyId));
      expect(await outcome(await both(), { resolveKey, seen })).toBe('keyUnavailable keyid');
      expect(ids.size).toBe(0);
      expect(await outcome(await both(), { resolveKey })).toBe('accepted');
    });
  });

  it('accepts only signatures with its tag', async () => {
    const message = await signed(get, { tag: 'payments' });
    expect(await outcome(message, { tag: 'payments' })).toBe('accepted');
    expect(await outcome(message, { tag: 'orders' })).toBe('parameter tag');
    expect(await outcome(await signed(get), { tag: 'orders' })).toBe('parameter tag');
    expect(await outcome(message, { label: 'other' })).toBe('parameter label');
  });

  it('takes the algorithm from the key, and the key from its id', async () => {
    const calls: unknown[][] = [];
    const resolve = (...given: [string]) => {
      calls.push(given);
      return resolveKey(given[0]);
    };
    expect(await outcome(await signed(get), { resolveKey: resolve })).toBe('accepted');
    expect(calls).toEqual([['k1']]);
    const line = '"@method": GET';
    const withAlg = (alg: string) => ({
      ...get,
      headers: byHand([line], '"@method"', `;created=${now};keyid="k1";alg="${alg}"`),
    });
    expect(await outcome(withAlg('hmac-sha256'), { requiredComponents: [] })).toBe('accepted');
    expect(await outcome(withAlg('ed25519'), { requiredComponents: [] })).toBe('algorithm alg');
    const nameless = { ...get, headers: byHand([line], '"@method"', `;created=${now}`) };
    expect(await outcome(nameless, { requiredComponents: [] })).toBe('parameter keyid');
  });

  it('distinguishes a failed key lookup from an unknown key', async () => {
    const message = await signed(get);
    expect(await outcome(message, { resolveKey: () => undefined })).toBe('keyUnknown keyid');
    const failing = verifyRequest(message, { clock, resolveKey: () => Promise.reject(new Error('down')) });
    await expect(failing).rejects.toMatchObject({ reason: 'keyUnavailable', retryable: true });
  });
});

describe('signature fields', () => {
  const line = '"@method": GET';
  const good = byHand([line], '"@method"');
  const [input, mac] = [good['signature-input'].slice(5), good.signature.slice(5)];
  it.each<[string, object, string]>([
    ['as they should be', good, 'accepted'],
    ['none', {}, 'missing signature-input'],
    ['no signature', { ...good, signature: undefined }, 'missing signature'],
    ['a signature of another label', { ...good, signature: `other=${mac}` }, 'missing signature'],
    ['a label twice', { ...good, 'signature-input': `sig1=(), sig1=${input}` }, 'malformed signature-input'],
    ['a label twice, on two lines', { ...good, signature: [good.signature, good.signature] }, 'malformed signature'],
    ['a parameter twice', { ...good, 'signature-input': `sig1=${input};created=1` }, 'malformed signature-input'],
    ['a component twice', byHand([line, line], '"@method" "@method"'), 'malformed signature-input'],
    [
      'a component twice, its parameters in another order',
      byHand([], '"a";sf;tr "a";tr;sf'),
      'malformed signature-input',
    ],
    ['a time that is no integer', byHand([line], '"@method"', `;created=${now}.5;keyid="k1"`), 'malformed created'],
    [
      'a time that is the decimal of the integer that was signed',
      { ...good, 'signature-input': good['signature-input'].replace(`=${now};`, `=${now}.0;`) },
      'malformed signature-input',
    ],
    [
      'a time that was signed as a decimal',
      byHand([line], '"@method"', `;created=${now}.0;keyid="k1"`),
      'malformed signature-input',
    ],
    [
      'a text that looks like one',
      byHand([line], '"@method"', `;created=${now};keyid="k1";nonce=";created=1.0"`),
      'accepted',
    ],
    [
      'unknown parameters, including a decimal',
      byHand([line], '"@method"', `;created=${now};keyid="k1";x=1.0;y=1.5;z`),
      'accepted',
    ],
    ['a time before all times', byHand([line], '"@method"', `;created=-1;keyid="k1"`), 'malformed created'],
    ['a key that is no text', byHand([line], '"@method"', `;created=${now};keyid=k1`), 'malformed keyid'],
    ['a signature that is text', { ...good, signature: 'sig1="abc"' }, 'malformed signature'],
    ['a signature that is a list', { ...good, signature: `sig1=(${mac})` }, 'malformed signature'],
    ['an empty signature', { ...good, signature: 'sig1=::' }, 'signature signature'],
    ['a signature cut short', { ...good, signature: 'sig1=:AAAA:' }, 'signature signature'],
    ['an input that is no list', { ...good, 'signature-input': 'sig1="a"' }, 'malformed signature-input'],
    ['no dictionary', { ...good, 'signature-input': 'sig1=(' }, 'malformed signature-input'],
    [
      'nine signatures',
      { ...good, 'signature-input': Array.from({ length: 9 }, (_, n) => `s${n}=${input}`).join(',') },
      'malformed signature-input',
    ],
    [
      '65 components',
      byHand([], Array.from({ length: 65 }, (_, n) => `"x${n}"`).join(' ')),
      'malformed signature-input',
    ],
    ['17 KiB of them', { ...good, 'signature-input': `sig1=("${'x'.repeat(17_000)}")` }, 'malformed signature-input'],
  ])('%s', async (_, headers, expected) => {
    expect(await outcome({ ...get, headers: headers as never }, { requiredComponents: [] })).toBe(expected);
  });

  it.each<[string, (names: readonly string[]) => string, (text: string) => RequestMessage]>([
    ['field', (names) => names.join(), (x) => ({ ...get, headers: { x } })],
    ['query', (names) => names.join('&'), (query) => ({ ...get, url: `https://h/?${query}` })],
  ])('are verified in time, however many components are parts of one long %s', async (kind, join, make) => {
    const names = Array.from({ length: 60 }, (_, n) => `k${n}`);
    const identify = (name: string) => (kind === 'field' ? `"x";key="${name}"` : `"@query-param";name="${name}"`);
    const components = names.map(identify).join(' ');
    const labels = Array.from({ length: 8 }, (_, n) => `s${n}`);
    const fields = {
      'signature-input': labels.map((one) => `${one}=(${components});created=${now};keyid="k1"`).join(),
      signature: labels.map((one) => `${one}=:AA==:`).join(),
    };
    const message = make(join([...names, ...Array.from({ length: 1_000 }, (_, n) => `m${n}`)]));
    // The characters that are searched: a measure of the work that does not depend on the machine.
    let searched = 0;
    const replaceAll = Object.getOwnPropertyDescriptor(String.prototype, 'replaceAll')!.value as () => string;
    const spy = vi.spyOn(String.prototype, 'replaceAll').mockImplementation(function (this: string, ...given) {
      searched += this.length;
      return Reflect.apply(replaceAll, this, given);
    });
    const headers = { ...(message.headers as object), ...fields };
    expect(await outcome({ ...message, headers }, { requiredComponents: [] })).toBe('signature signature');
    spy.mockRestore();
    expect(searched).toBeGreaterThan(10_000);
    expect(searched).toBeLessThan(200_000);
  });

  it('with random changes are rejected without any other error', async () => {
    const text = fc.string({ unit: fc.constantFrom(...'sig1=()"@:;,? \\%a.0-'), maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(text, text, async (a, b) => {
        const result = await outcome(
          { ...get, headers: { 'signature-input': `sig1=${a}`, signature: `sig1=${b}` } },
          { requiredComponents: [] },
        );
        expect(result).toMatch(/^(missing|malformed|parameter|component|keyUnknown|signature)/);
      }),
      { numRuns: 500, seed: 3 },
    );
  });

  it('any change of the signed message is detected', async () => {
    const message = await signed(order, {
      components: ['@method', '@target-uri', 'content-type', 'accept', 'content-digest'],
    });
    const headers = message.headers as Record<string, string>;
    const changes: RequestMessage[] = [
      { ...message, method: 'PUT' },
      { ...message, url: message.url.replace('https', 'http') },
      { ...message, url: message.url.replace('/orders?', '/orders/?') },
      { ...message, url: message.url.replace('dry=1', 'dry=0') },
      { ...message, headers: { ...headers, 'content-type': 'text/plain' } },
      { ...message, headers: { ...headers, accept: 'text/html' } },
    ];
    for (const change of changes) expect(await outcome(change)).toBe('signature signature');
  });
});

describe('a signature and another message', () => {
  const value = fc.string({ unit: fc.constantFrom(...'ab",;=:\\ ()\n?&%41/'), maxLength: 8 });
  const word = fc.constantFrom('a', 'b', 'a%20b', "'", '~', '%41');
  const message = fc.record({
    method: fc.constantFrom('GET', 'PUT'),
    path: fc.constantFrom('', '/', '/a', '/a/', '/a/../b', '//a', '/%61'),
    query: fc.option(fc.array(fc.tuple(word, word), { maxLength: 3 })),
    one: fc.array(value, { maxLength: 2 }),
    two: fc.option(value, { nil: undefined }),
  });
  type Made = typeof message extends fc.Arbitrary<infer T> ? T : never;
  const made = ({ method, path, query, one, two }: Made): RequestMessage => ({
    method,
    url: `https://h${path}${query === null ? '' : `?${query.map(([name, text]) => `${name}=${text}`).join('&')}`}`,
    headers: { one, two },
  });
  const covered = fc.subarray([
    '@method',
    '@path',
    '@query',
    '@query-param;name="a"',
    'one',
    'one;bs',
    'two',
    'two;key="a"',
  ]);
  /** The value of a component, computed independently of the code under test. */
  const meaning = ({ method, path, query, one, two }: Made, component: string): unknown => {
    const pairs = (query ?? []).filter(([name]) => name === 'a');
    const trimmed = one.map((line) => line.replace(/^ +| +$/g, ''));
    switch (component) {
      case '@method':
        return method;
      case '@path':
        return path === '' ? '/' : path;
      case '@query':
        return (query ?? []).map(([name, text]) => `${name}=${text}`).join('&');
      case '@query-param;name="a"':
        return decodeURIComponent(pairs[0]?.[1] ?? '');
      case 'one':
        return trimmed.join(', ');
      case 'one;bs':
        return JSON.stringify(trimmed);
      case 'two':
        return two?.replace(/^ +| +$/g, '');
      default:
        throw new Error(`No meaning is known for ${component}.`);
    }
  };

  it('is valid for another message exactly when all covered components are equal', async () => {
    let moved = 0;
    await fc.assert(
      fc.asyncProperty(message, message, fc.boolean(), covered, async (one, other, near, components) => {
        const headers = await signRequest(made(one), { ...hmac, components }).catch(() => undefined);
        if (headers === undefined) return;
        const target = near ? { ...other, one: one.one, path: one.path } : other;
        const request = made(target);
        const all = { ...(request.headers as object), ...headers };
        const result = await outcome({ ...request, headers: all }, { requiredComponents: [] });
        if (result === 'accepted') moved++;
        // A dictionary member can be equal in two different texts, so only one direction can be checked.
        const parts = components.filter((part) => !part.includes(';key'));
        const equal = parts.every((part) => meaning(one, part) === meaning(target, part));
        if (result === 'accepted') expect(equal).toBe(true);
        else if (equal && parts.length === components.length) expect(result).toMatch(/^component/);
      }),
      { numRuns: 2_000, seed: 8 },
    );
    // The property is meaningless if hardly any signature is valid for another message.
    expect(moved).toBeGreaterThan(50);
  });
});

describe('invalid options', () => {
  const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
  const weakPss = generateKeyPairSync('rsa-pss', { modulusLength: 1024 });
  const pss = (hashAlgorithm: string, mgf1HashAlgorithm: string, saltLength: number) => {
    // The length of the salt is a number, which the types of Node call a string.
    const restriction = { hashAlgorithm, mgf1HashAlgorithm, saltLength: saltLength as never };
    return generateKeyPairSync('rsa-pss', { modulusLength: 2048, ...restriction }).privateKey;
  };
  const ed = generateKeyPairSync('ed25519');
  it.each<[string, object, string]>([
    ['a short secret', { key: Buffer.alloc(31) }, 'key'],
    ['a secret as text', { key: 'x'.repeat(64) }, 'key'],
    ['a public key', { key: ed.publicKey, algorithm: 'ed25519' }, 'key'],
    ['a key of another kind', { key: ed.privateKey, algorithm: 'ecdsa-p256-sha256' }, 'key'],
    ['a weak RSA key', { key: weak.privateKey, algorithm: 'rsa-pss-sha512' }, 'key'],
    ['a weak RSA-PSS key', { key: weakPss.privateKey, algorithm: 'rsa-pss-sha512' }, 'key'],
    ['an RSA-PSS key for another hash', { key: pss('sha256', 'sha256', 32), algorithm: 'rsa-pss-sha512' }, 'key'],
    ['an RSA-PSS key for another mask', { key: pss('sha512', 'sha256', 64), algorithm: 'rsa-pss-sha512' }, 'key'],
    ['an RSA-PSS key for more salt', { key: pss('sha512', 'sha512', 65), algorithm: 'rsa-pss-sha512' }, 'key'],
    ['an unknown algorithm', { algorithm: 'none' }, 'algorithm'],
    ['no name of the key', { keyId: '' }, 'keyId'],
    ['a name that is no ASCII', { keyId: 'schlüssel' }, 'keyId'],
    ['a component twice', { components: ['date', 'date'] }, 'components'],
    ['a component that is not there', { components: ['date'] }, 'components'],
    ['a label that is none', { label: 'Sig 1' }, 'label'],
    ['an end before the beginning', { created: now, expires: now - 1 }, 'expires'],
    ['a misspelt option', { component: [] }, 'component'],
    ['a structured field of an unknown type', { structuredFields: { a: 'text' } }, 'structuredFields.a'],
  ])('%s', async (_, options, path) => {
    await expect(signed(get, options)).rejects.toMatchObject({
      code: 'MAC_INVALID_OPTIONS',
      path: `signRequest.${path}`,
    });
  });

  it.each<[string, object, string]>([
    ['no keys', { resolveKey: undefined }, 'verifyRequest.resolveKey'],
    ['an age that is none', { maxAgeMs: NaN }, 'verifyRequest.maxAgeMs'],
    ['a tolerance that is too large', { clockToleranceMs: 60_001 }, 'verifyRequest.clockToleranceMs'],
    ['a component that is none', { requiredComponents: ['@signature-params'] }, 'verifyRequest.requiredComponents[0]'],
    ['a text for the structured fields', { structuredFields: 'a' }, 'verifyRequest.structuredFields'],
    ['an unknown algorithm', { resolveKey: () => ({ key: secret, algorithm: 'none' }) }, 'resolveKey().algorithm'],
  ])('of the verifier: %s', async (_, options, path) => {
    expect(await outcome(await signed(get), options)).toMatchObject({ code: 'MAC_INVALID_OPTIONS', path });
  });

  it('reject a signing function that returns something other than bytes', async () => {
    for (const given of ['text', null, {}, new Uint8Array(0), new ArrayBuffer(64)]) {
      await expect(signed(get, { key: () => given as never })).rejects.toMatchObject({ path: 'key()' });
    }
    await expect(signed(get, { key: () => Promise.reject(new Error('away')) })).rejects.toThrow('away');
  });

  it('are reported without the key', async () => {
    const key = Buffer.from('a secret that is too short');
    const error: unknown = await signed(get, { key }).catch((thrown: unknown) => thrown);
    expect(inspect(error)).not.toContain(key.toString('hex'));
    expect(inspect(error)).not.toContain('too short');
  });
});

describe('requestSigner', () => {
  it('signs each attempt again', async () => {
    const signer = requestSigner(hmac);
    const [one, other] = [await signer.authorize(get), await signer.authorize(get)];
    expect(one['signature-input']).not.toBe(other['signature-input']);
    expect(await outcome({ ...get, headers: one })).toBe('accepted');
    expect(() => requestSigner({ ...hmac, nonce: 'n' } as never)).toThrow(OptionsError);
    // At construction, not with the first request.
    for (const wrong of [{ key: 'text' }, { keyId: '' }, { components: ['Date'] }, { label: 'A' }, { tags: 'a' }]) {
      expect(() => requestSigner({ ...hmac, ...wrong } as never)).toThrow(OptionsError);
    }
  });
});
