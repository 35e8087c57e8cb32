import { OptionsError } from '@macadam/core';
import type { FaultExchange } from './fault-exchange.ts';

/** What a fault did: `ended` the exchange, or `continued` it: slower, say, with later faults and the answer to follow. */
export type FaultEffect = 'ended' | 'continued';

/**
 * One way for a server to fail. The package has one function for each; any object of this shape will do.
 *
 * Most faults strike an exchange. One that has `level: 'connection'` also strikes when a connection arrives, before a
 * byte is read, and one that has `level: 'listener'` keeps connections from being made at all.
 */
export interface Fault {
  /** The name it is counted under. */
  readonly kind: string;
  readonly level: 'exchange' | 'connection' | 'listener';
  /** In words, such as `waits 200 ms`. */
  describe(): string;
  /** Whether it can strike this exchange at all. Default: it can. */
  appliesTo?(exchange: FaultExchange): boolean;
  /** Strikes. What it throws is a mistake of the test, and is answered with 500 and the words of the error. */
  apply(exchange: FaultExchange): Promise<FaultEffect>;
}

/** Throws OptionsError unless `value` is a fault. */
export function assertFault(path: string, value: unknown): asserts value is Fault {
  const fault = value as Partial<Fault> | null | undefined;
  if (typeof fault?.kind === 'string' && typeof fault.apply === 'function') return;
  throw new OptionsError(path, value, 'a fault, such as hang() or latency(fixed(200))');
}
