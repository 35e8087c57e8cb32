import {
  assertBoolean,
  assertClock,
  assertDurationMs,
  assertFunction,
  assertInteger,
  assertKnownOptions,
  assertObject,
  assertText,
  systemClock,
  systemRandom,
  type Clock,
  type Priority,
  type Random,
} from '@macadam/core';
import type { HeaderFields } from '../headers/parse-rate-limit.ts';

export interface OutboundLimiterOptions {
  /** Stands in errors, statistics and telemetry. Default: `outbound`. */
  name?: string;
  /** Whether requests are spread over the time that is left when the server says that little is left. Default: true. */
  pace?: boolean;
  /**
   * Whether a rate is found out after the first refusal, for servers that say nothing (the AWS SDKs' adaptive mode).
   * Default: true.
   */
  adaptive?: boolean;
  /** Requests of a partition that may wait, 0 or more. Default: 1 000. */
  maxQueued?: number;
  /** The longest wait for a turn, in milliseconds, above 0; what is left of the call's time limits it too. Default: 30 000. */
  maxWaitMs?: number;
  /** The longest pause that a server is believed to want, in milliseconds, above 0. Default: 600 000 (ten minutes). */
  maxPauseMs?: number;
  /** Partitions that are remembered; the one used the longest ago is forgotten. At least 1. Default: 1 000. */
  maxPartitions?: number;
  /** Default: the system clock. */
  clock?: Clock;
  /** Default: `Math.random`. */
  random?: Random;
}

/** Who wants a turn. */
export interface AcquireOptions {
  /** Leaves the queue. Default: what cancels the current unit of work. */
  readonly signal?: AbortSignal;
  /** What is left of the call's time, in milliseconds. Default: what the current unit of work has left. */
  readonly remainingMs?: number;
  /** The most important goes first. Default: that of the current unit of work, else `normal`. */
  readonly priority?: Priority;
  /** Among equals, tenants take turns. Default: that of the current unit of work. */
  readonly tenant?: string;
}

/** The head of an answer. */
export interface OutboundResponse {
  readonly status: number;
  readonly headers: HeaderFields;
}

/** Leave to send one request. */
export interface OutboundTurn {
  /** To be told once how it ended: with an answer, whatever its status, or without. */
  settle(answer?: OutboundResponse): void;
}

/** The options with every default filled in, checked. */
export type OutboundSettings = Readonly<Required<OutboundLimiterOptions>>;

const NAMES = [
  'name',
  'pace',
  'adaptive',
  'maxQueued',
  'maxWaitMs',
  'maxPauseMs',
  'maxPartitions',
  'clock',
  'random',
] as const;

export function outboundSettings(options: OutboundLimiterOptions): OutboundSettings {
  const path = 'createOutboundLimiter';
  assertObject(path, options);
  assertKnownOptions(path, options, NAMES);
  const { name = 'outbound', pace = true, adaptive = true, maxQueued = 1_000, maxPartitions = 1_000 } = options;
  const { maxWaitMs = 30_000, maxPauseMs = 600_000, clock = systemClock, random = systemRandom } = options;
  assertText(`${path}.name`, name);
  assertBoolean(`${path}.pace`, pace);
  assertBoolean(`${path}.adaptive`, adaptive);
  assertInteger(`${path}.maxQueued`, maxQueued, { min: 0 });
  assertInteger(`${path}.maxPartitions`, maxPartitions, { min: 1 });
  assertDurationMs(`${path}.maxWaitMs`, maxWaitMs);
  assertDurationMs(`${path}.maxPauseMs`, maxPauseMs);
  assertClock(`${path}.clock`, clock);
  assertFunction(`${path}.random`, random);
  return { name, pace, adaptive, maxQueued, maxWaitMs, maxPauseMs, maxPartitions, clock, random };
}
