import { observeVerifier } from '../instruments.ts';
import type { VerifierSettings } from './settings.ts';
import { startPinnedVerification } from './pinned-verification.ts';
import { type Issuer, Verifier } from './verifier.ts';

startPinnedVerification();

/** Creates a verifier whose counts are exported as metrics. */
export function instrumentedVerifier(settings: VerifierSettings, issuers: readonly Issuer[]): Verifier {
  const verifier = new Verifier(settings, issuers);
  observeVerifier(settings.name ?? issuers[0]?.rules.issuer ?? 'none', verifier);
  return verifier;
}
