import type { Suite } from '../src/suite.ts';
import { signing, tokens } from './auth/outgoing.ts';
import { manyRules, permissions } from './auth/permissions.ts';
import { cached, manyTokens, uncached } from './auth/verification.ts';

export const suite: Suite = {
  name: 'auth',
  what: 'The cost of verifying a token, deciding a permission, and authenticating an outgoing request. Every token verifier checks issuer, audience and times.',
  cases: [
    cached,
    ...['HS256', 'RS256', 'PS256', 'ES256', 'EdDSA'].map(uncached),
    manyTokens,
    tokens,
    permissions,
    manyRules,
    signing,
  ],
};
