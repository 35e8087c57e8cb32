/**
 * A verification that never ends and one that has, both kept: so that of everything a verification is made of one lives at
 * any time. Otherwise V8 forgets how such objects are laid out when it collects the heap while nothing is verified, and throws
 * away the machine code of the whole way; see the standing calls of `@macadam/resilience`.
 */
import { createHmac } from 'node:crypto';
import { type Clock, runAtRoot } from '@macadam/core';
import { StaticKeys } from './key-source.ts';
import { KeySet } from './key-set.ts';
import { issuerRules, verifierSettings } from './settings.ts';
import type { SignatureCheck } from './signature.ts';
import { Verifier } from './verifier.ts';

const kept: unknown[] = [];

/** Never settles, and so holds on to whoever waits for it. */
const never = new Promise<never>(() => {});

/** Times that are laid out as those of real tokens and clocks are. */
const NOW = 1_700_000_000;
const clock: Clock = {
  now: () => NOW * 1_000 + 0.5,
  monotonic: () => 0.5,
  setTimer: () => ({ cancel() {} }),
  sleep: () => never,
};

/** Begins the one, and makes the other. */
export function standingVerification(): void {
  const name = 'https://standing.invalid';
  const settings = verifierSettings({ clock, cache: { maxEntries: 1 } });
  const rules = { ...issuerRules('', { issuer: name, audience: name }), algorithms: ['HS256'] };
  const claims = {
    iss: name,
    aud: name,
    sub: 'u1',
    client_id: 'shop',
    jti: '1',
    scope: 'all',
    iat: NOW,
    exp: NOW + 60,
  };
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'HS256', typ: 'at+jwt', kid: 'k1' })}.${part(claims)}.AAAA`;
  const checks: SignatureCheck[] = [() => true, () => never];
  for (const check of checks) {
    const key = { kid: 'k1', checks: new Map([['HS256', check]]), fingerprint: '' };
    const verifier = new Verifier(settings, [{ rules, keys: new StaticKeys(name, new KeySet([key])) }]);
    // Not as part of whatever this package is first imported in.
    kept.push(
      verifier,
      runAtRoot(() => verifier.verify(token)),
    );
  }
  const mac = createHmac('sha256', name).update(name);
  mac.digest('base64url');
  kept.push(mac);
}
