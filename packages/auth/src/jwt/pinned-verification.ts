/**
 * Keeps one finished and one pending verification alive for the life of the process, so that the verifier stays
 * compiled while it is idle.
 *
 * When the heap is collected and no object of a class is alive, V8 discards the hidden class, and with it all optimized
 * code that depends on it. The first requests after a quiet time would then run interpreted. `@macadam/resilience`
 * keeps its policies compiled in the same way.
 */
import { createHmac } from 'node:crypto';
import { type Clock, runAtRoot } from '@macadam/core';
import { StaticKeySource } from './key-source.ts';
import { KeySet } from './key-set.ts';
import { issuerRules, verifierSettings } from './settings.ts';
import type { SignatureCheck } from './signature.ts';
import { Verifier } from './verifier.ts';

const retained: unknown[] = [];

/** Never settles, and thereby keeps the callers that await it alive. */
const never = new Promise<never>(() => {});

/** Times with the same representation in V8 as those of real tokens and clocks: an integer and a double. */
const NOW = 1_700_000_000;
const clock: Clock = {
  now: () => NOW * 1_000 + 0.5,
  monotonic: () => 0.5,
  setTimer: () => ({ cancel() {} }),
  sleep: () => never,
};

/** Completes one verification and starts one that stays pending. */
export function startPinnedVerification(): void {
  const name = 'https://pinned.invalid';
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
    const verifier = new Verifier(settings, [{ rules, keys: new StaticKeySource(name, new KeySet([key])) }]);
    // At the root: otherwise the pending verification would keep the unit of work that first imported this package alive.
    retained.push(
      verifier,
      runAtRoot(() => verifier.verify(token)),
    );
  }
  const mac = createHmac('sha256', name).update(name);
  mac.digest('base64url');
  retained.push(mac);
}
