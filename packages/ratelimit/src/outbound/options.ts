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

/** Options of `createOutboundLimiter`. */
export interface OutboundLimiterOptions {
  /** Name in errors, statistics and metrics. Default: `outbound`. */
  name?: string;
  /** Spreads requests over the remaining time when the server says that little of the quota is left. Default: true. */
  pace?: boolean;
  /**
   * Finds a rate after the first refusal, for servers that say nothing about their limits (the adaptive mode of the AWS
   * SDKs). Default: true.
   */
  adaptive?: boolean;
  /** Maximum number of requests of a partition that wait, 0 or more. Default: 1 000. */
  maxQueued?: number;
  /**
   * The longest wait for a turn, in milliseconds, above 0; limited by the time that the call has left as well. Default:
   * 30 000.
   */
  maxWaitMs?: number;
  /**
   * The longest pause that a server can ask for, in milliseconds, above 0; a longer one is cut. Default: 600 000 (ten
   * minutes).
   */
  maxPauseMs?: number;
  /**
   * Maximum number of partitions that are remembered, at least 1; the least recently used one is forgotten. Default: 1
   * 000.
   */
  maxPartitions?: number;
  /** Source of time. Default: the system clock. */
  clock?: Clock;
  /** Source of randomness. Default: `Math.random`. */
  random?: Random;
}

/** Options of `acquire`. */
export interface AcquireOptions {
  /** Leaves the queue when it aborts. Default: the signal of the current unit of work. */
  readonly signal?: AbortSignal;
  /**
   * How much time the call has left, in milliseconds. Default: what the current unit of work has left, else no limit.
   */
  readonly remainingMs?: number;
  /** Higher priorities go first. Default: that of the current unit of work, else `normal`. */
  readonly priority?: Priority;
  /** Tenants of the same priority take turns. Default: that of the current unit of work, else none. */
  readonly tenant?: string;
}

/** The head of a response. */
export interface OutboundResponse {
  /** The status code. */
  readonly status: number;
  /** The header fields. */
  readonly headers: HeaderFields;
}

/** Permission to send one request. */
export interface OutboundTurn {
  /** Call it once when the request has ended, with the response, whatever its status, or without one. */
  settle(response?: OutboundResponse): void;
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
