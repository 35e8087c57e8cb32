/**
 * The state machine of the breaker, as pure functions from state, time and event to the next state. It does not count
 * outcomes while closed, which the trip rules do, and has no timer: the next call notices that the open time is over.
 */

/**
 * The state of a circuit: `closed`, calls pass; `open`, calls are refused; `halfOpen`, a few calls pass as probes; `isolated`, calls are
 * refused until `reset()`.
 */
export type CircuitState = 'closed' | 'halfOpen' | 'isolated' | 'open';

/** A probe in flight. It counts only until its lease expires, so that a hung probe cannot block the breaker. */
export interface Lease {
  readonly expiresAt: number;
}

export type State =
  | { readonly kind: 'closed' }
  | { readonly kind: 'open'; readonly until: number; readonly opens: number }
  | {
      readonly kind: 'halfOpen';
      readonly opens: number;
      readonly successes: number;
      readonly leases: readonly Lease[];
    }
  | { readonly kind: 'isolated' };

export interface StateRules {
  readonly openMs: number;
  readonly maxOpenMs: number;
  readonly openJitter: number;
  readonly halfOpenProbes: number;
  readonly probeLeaseMs: number;
}

export const initialState: State = { kind: 'closed' };

/**
 * The open state after a trip or a failed probe. The open time doubles with each failed probe, up to a maximum, and is
 * reset once the circuit has closed (Finagle); `random` spreads it by ± jitter.
 */
export function opened(opens: number, now: number, rules: StateRules, random: number): State {
  const plainMs = Math.min(rules.openMs * 2 ** Math.min(opens, 52), rules.maxOpenMs);
  const openMs = plainMs * (1 + rules.openJitter * (2 * random - 1));
  return { kind: 'open', until: now + openMs, opens: opens + 1 };
}

export type Admission =
  | { readonly admitted: true; readonly next: State; readonly lease: Lease | undefined }
  | { readonly admitted: false; readonly next: State; readonly retryAfterMs: number | undefined };

/** Returns whether a call is admitted now, and the next state. */
export function admit(state: State, now: number, rules: StateRules): Admission {
  switch (state.kind) {
    case 'closed':
      return { admitted: true, next: state, lease: undefined };
    case 'isolated':
      return { admitted: false, next: state, retryAfterMs: undefined };
    case 'open': {
      if (now < state.until) return { admitted: false, next: state, retryAfterMs: state.until - now };
      return admit(halfOpened(state), now, rules);
    }
    case 'halfOpen': {
      const leases = state.leases.filter((lease) => lease.expiresAt > now);
      if (state.successes + leases.length >= rules.halfOpenProbes) {
        const earliest = leases.reduce((min, lease) => Math.min(min, lease.expiresAt), Infinity);
        return { admitted: false, next: { ...state, leases }, retryAfterMs: Math.max(0, earliest - now) };
      }
      const lease: Lease = { expiresAt: now + rules.probeLeaseMs };
      return { admitted: true, next: { ...state, leases: [...leases, lease] }, lease };
    }
  }
}

/** The state after the open time, or after `halfOpen()`. States other than open do not change. */
export function halfOpened(state: State): State {
  return state.kind === 'open' ? { kind: 'halfOpen', opens: state.opens, successes: 0, leases: [] } : state;
}

/** What an outcome says about a dependency; `neutral` is ignored. */
export type Verdict = 'failure' | 'neutral' | 'success';

/**
 * The state after a probe. Enough successes close the circuit, a failure opens it again, and a neutral outcome only
 * releases the lease, since it says nothing about the dependency. A probe whose lease has expired does not count.
 */
export function afterProbe(
  state: State,
  lease: Lease,
  verdict: Verdict,
  now: number,
  rules: StateRules,
  random: number,
): State {
  if (state.kind !== 'halfOpen' || !state.leases.includes(lease) || lease.expiresAt <= now) return state;
  if (verdict === 'failure') return opened(state.opens, now, rules, random);
  const leases = state.leases.filter((other) => other !== lease);
  if (verdict === 'neutral') return { ...state, leases };
  const successes = state.successes + 1;
  if (successes >= rules.halfOpenProbes) return initialState;
  return { ...state, successes, leases };
}
