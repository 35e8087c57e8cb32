/** A verifier that is used until its code is compiled, and then idle while the heap is collected. */
import { createHmac } from 'node:crypto';
import { useAndIdle } from '@macadam/test-support/discarded-code';
import { createHmacJwtVerifier } from '../../src/index.ts';

const [issuer, audience] = ['https://id.example.com', 'https://orders.example.com'];
const secret = new Uint8Array(32).fill(7);
const now = Math.floor(Date.now() / 1_000);
const claims = { iss: issuer, aud: audience, sub: 'u1', client_id: 'shop', jti: '1', iat: now, exp: now + 3_600 };
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const input = `${part({ alg: 'HS256', typ: 'at+jwt' })}.${part(claims)}`;
const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
const verifier = createHmacJwtVerifier({ issuer, audience, algorithm: 'HS256', secrets: [{ secret }], cache: false });

async function use(times: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    if ((await verifier.verify(token)).subject !== 'u1') throw new Error('not the subject of the token');
  }
}

await useAndIdle(() => use(20_000));
