import {
  assertClock,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertText,
  type Clock,
  systemClock,
} from '@macadam/core';
import type { SeenBefore } from '../replay.ts';
import type { SignatureAlgorithm, SignatureKey } from './algorithms.ts';
import { type Component, namedComponents } from './component.ts';
import { assertStructured, type StructuredFields } from './component-value.ts';

/** A key of a sender: public, or a shared secret. The algorithm belongs to the key; the message cannot choose it. */
export interface ResolvedKey {
  readonly key: SignatureKey;
  readonly algorithm: SignatureAlgorithm;
}

/** Options of {@link verifyRequest} and {@link verifyResponse}. */
export interface VerifySignatureOptions {
  /**
   * Finds a sender's key by its name, and by nothing else. `undefined` for one that is not known. An error, or no answer
   * within 5 seconds, refuses the message (`keyUnavailable`).
   */
  resolveKey: (keyId: string) => ResolvedKey | undefined | Promise<ResolvedKey | undefined>;
  /**
   * What must be signed, in the spelling of `components`. Default: `@method` and `@target-uri`, or `@status` of a
   * response, and `content-digest` where there is content.
   */
  requiredComponents?: readonly string[];
  /** How old `created` may be; `Infinity` demands no `created`. Default: 300_000. */
  maxAgeMs?: number;
  /** How far clocks may differ. Default: 10_000; at most 60_000. */
  clockToleranceMs?: number;
  /**
   * Tells whether a nonce was here before; given, signatures need one. The id is made of the key's name and the nonce.
   * Default: messages can be replayed while they are not too old.
   */
  seen?: SeenBefore;
  /** Accepts signatures with this `tag` alone. Default: any. */
  tag?: string;
  /** Accepts the signature with this label alone. Default: any. */
  label?: string;
  /** How the application's structured fields are written, for `;sf`. The registered ones are known. */
  structuredFields?: StructuredFields;
  /** Default: the clock of the machine. */
  clock?: Clock;
}

const OPTIONS = [
  'resolveKey',
  'requiredComponents',
  'maxAgeMs',
  'clockToleranceMs',
  'seen',
  'tag',
  'label',
  'structuredFields',
  'clock',
];
const MAX_TOLERANCE_MS = 60_000;

/** The options, checked and filled in. */
export interface VerifySettings {
  readonly resolveKey: VerifySignatureOptions['resolveKey'];
  readonly required: readonly Component[] | undefined;
  readonly maxAgeMs: number;
  readonly clockToleranceMs: number;
  readonly seen: SeenBefore | undefined;
  readonly tag: string | undefined;
  readonly label: string | undefined;
  readonly structuredFields: StructuredFields | undefined;
  readonly clock: Clock;
}

/** @throws OptionsError */
export function verifySettings(options: VerifySignatureOptions): VerifySettings {
  assertObject('options', options);
  assertKnownOptions('', options, OPTIONS);
  const { resolveKey, requiredComponents, maxAgeMs = 300_000, clockToleranceMs = 10_000, seen, tag, label } = options;
  assertFunction('resolveKey', resolveKey);
  assertDurationMs('maxAgeMs', maxAgeMs, { above: 0, infinite: true });
  assertDurationMs('clockToleranceMs', clockToleranceMs, { min: 0, max: MAX_TOLERANCE_MS });
  if (seen !== undefined) assertFunction('seen', seen);
  if (tag !== undefined) assertText('tag', tag);
  if (label !== undefined) assertText('label', label);
  const required = requiredComponents && namedComponents('requiredComponents', requiredComponents);
  const { structuredFields, clock = systemClock } = options;
  assertClock('clock', clock);
  assertStructured(structuredFields);
  return { resolveKey, required, maxAgeMs, clockToleranceMs, seen, tag, label, structuredFields, clock };
}
