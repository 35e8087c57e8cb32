import type { Suite } from '../src/suite.ts';
import { signing, tokens } from './auth/calling.ts';
import { crowded, permissions } from './auth/permissions.ts';
import { cached, many, uncached } from './auth/verifying.ts';

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
