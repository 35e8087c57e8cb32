import { OptionsError } from '@macadam/core';
import type { FaultExchange } from './fault-exchange.ts';

/** What a fault did: `ended` the exchange, or `continued` it, so that later faults and the response follow. */
export type FaultEffect = 'ended' | 'continued';

/**
 * A way for a server to fail: made by `slow()`, `hang()`, `respond()`, …, or any object of this shape.
 *
 * Most faults apply to an exchange. A fault with `level: 'connection'` also applies when a connection is accepted, before a byte is read;
 * one with `level: 'listener'` prevents connections.
 */
export interface Fault {
  /** The name of the fault in statistics. */
  readonly kind: string;
  /** What the fault applies to. */
  readonly level: 'exchange' | 'connection' | 'listener';
  /** Describes the fault in words, such as `waits 200 ms`. */
  describe(): string;
  /** Whether the fault can apply to this exchange. Default: yes, to all. */
  appliesTo?(exchange: FaultExchange): boolean;
  /** Applies the fault. An error it throws is answered with status 500 and its message. */
  apply(exchange: FaultExchange): Promise<FaultEffect>;
}

/** Throws OptionsError unless `value` is a fault. */
export function assertFault(path: string, value: unknown): asserts value is Fault {
  const fault = value as Partial<Fault> | null | undefined;
  if (typeof fault?.kind === 'string' && typeof fault.apply === 'function') return;
  throw new OptionsError(path, value, 'a fault, such as hang() or latency(fixed(200))');
}
