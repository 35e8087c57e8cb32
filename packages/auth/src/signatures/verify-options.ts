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
import { type Component, componentsFromOption } from './component.ts';
import { assertStructuredFields, type StructuredFields } from './component-value.ts';

/** A key of a sender: public, or a shared secret. The algorithm belongs to the key; the message cannot choose it. */
export interface ResolvedKey {
  /** The key. */
  readonly key: SignatureKey;
  /** The algorithm that the key is used with. */
  readonly algorithm: SignatureAlgorithm;
}

/** Options of {@link verifyRequest} and {@link verifyResponse}. */
export interface VerifySignatureOptions {
  /**
   * Finds the key of a sender by its id only; `undefined` for an unknown one. An error, or no answer within 5 seconds,
   * for all signatures of a message together, rejects a signature (`keyUnavailable`).
   */
  resolveKey: (keyId: string) => ResolvedKey | undefined | Promise<ResolvedKey | undefined>;
  /**
   * The components that must be signed, in the syntax of `components`. Default: `@method` and `@target-uri`, or
   * `@status` of a response, and `content-digest` where there is content.
   */
  requiredComponents?: readonly string[];
  /** Maximum age by `created`, in milliseconds, above 0; `Infinity` does not require `created`. Default: 300_000. */
  maxAgeMs?: number;
  /** Tolerated difference of clocks, in milliseconds, 0 to 60_000. Default: 10_000. */
  clockToleranceMs?: number;
  /**
   * Returns whether a nonce was used before; requires a nonce in signatures. The id consists of the key id and the nonce.
   * It is called for every valid signature of a message, so that none can be replayed without the others, and one that
   * cannot be judged (`keyUnavailable`) rejects the message. Default: messages can be replayed until they are too old.
   */
  seen?: SeenBefore;
  /** Accepts only signatures with this `tag`. Default: any. */
  tag?: string;
  /** Accepts only the signature with this label. Default: any. */
  label?: string;
  /** How structured fields of the application are written, for `;sf`. Registered ones are known. Default: none. */
  structuredFields?: StructuredFields;
  /** Source of time. Default: the system clock. */
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

/** The options, validated and with defaults. */
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
  const required = requiredComponents && componentsFromOption('requiredComponents', requiredComponents);
  const { structuredFields, clock = systemClock } = options;
  assertClock('clock', clock);
  assertStructuredFields(structuredFields);
  return { resolveKey, required, maxAgeMs, clockToleranceMs, seen, tag, label, structuredFields, clock };
}
