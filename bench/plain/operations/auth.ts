import { createHmac } from 'node:crypto';
import type { Operation } from '../operation.ts';

const [issuer, audience] = ['https://id.example.com', 'https://orders.example.com'];
const secret = new Uint8Array(64).fill(42);

function accessToken(): string {
  const now = Math.floor(Date.now() / 1_000);
  const claims = {
    iss: issuer,
    aud: audience,
    sub: 'ann',
    client_id: 'shop',
    scope: 'orders:read orders:write',
    jti: 't1',
  };
  const parts = [
    { alg: 'HS256', typ: 'at+jwt', kid: 'k1' },
    { ...claims, iat: now, exp: now + 3_600 },
  ];
  const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

export const auth: Record<string, Operation> = {
  macadam: {
    count: 200_000,
    make: async () => {
      const { createHmacJwtVerifier } = await import('@macadam/auth');
      const secrets = [{ secret, kid: 'k1' }];
      const verifier = createHmacJwtVerifier({ issuer, audience, algorithm: 'HS256', secrets, cache: false });
      const token = accessToken();
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++) last = await verifier.verify(token);
        return last;
      };
    },
  },
  'jose jwtVerify': {
    count: 65_000,
    make: async () => {
      const { jwtVerify } = await import('jose');
      const hash = { name: 'HMAC', hash: 'SHA-256' };
      const key = await crypto.subtle.importKey('raw', secret, hash, false, ['verify']);
      const token = accessToken();
      return async (count) => {
        let last: unknown;
        for (let i = 0; i < count; i++)
          last = await jwtVerify(token, key, { issuer, audience, algorithms: ['HS256'], typ: 'at+jwt' });
        return last;
      };
    },
  },
};
