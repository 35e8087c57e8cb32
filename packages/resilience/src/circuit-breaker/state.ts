/**
 * The breaker's state machine, pure: state, time and what happened in; next state out. It never counts outcomes while
 * closed (that is what trip rules are for) and holds no timer: whoever comes next finds that the time has passed.
 */

/**
 * The state of a circuit: `closed`, calls pass; `open`, calls are refused; `halfOpen`, a few calls pass as probes; `isolated`, calls are
 * refused until `reset()`.
 */
export type CircuitState = 'closed' | 'halfOpen' | 'isolated' | 'open';

/** A probe in flight. It stops counting when its lease ends, so that a hung probe cannot wedge the breaker. */
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
 * The open state after a trip or a failed probe. Open times double with each failed probe, up to the cap, and start anew
 * once the circuit has closed (Finagle); `random` spreads them by ± jitter.
 */
export function opened(opens: number, now: number, rules: StateRules, random: number): State {
  const plainMs = Math.min(rules.openMs * 2 ** Math.min(opens, 52), rules.maxOpenMs);
  const openMs = plainMs * (1 + rules.openJitter * (2 * random - 1));
  return { kind: 'open', until: now + openMs, opens: opens + 1 };
}

export type Admission =
  | { readonly admitted: true; readonly next: State; readonly lease: Lease | undefined }
  | { readonly admitted: false; readonly next: State; readonly retryAfterMs: number | undefined };

/** Whether a call may pass now, and what the state is afterwards. */
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
        const soonest = leases.reduce((least, lease) => Math.min(least, lease.expiresAt), Infinity);
        return { admitted: false, next: { ...state, leases }, retryAfterMs: Math.max(0, soonest - now) };
      }
      const lease: Lease = { expiresAt: now + rules.probeLeaseMs };
      return { admitted: true, next: { ...state, leases: [...leases, lease] }, lease };
    }
  }
}

/** Where an open circuit goes when its time is over, or is ended by somebody who knows better; the others stay as they are. */
export function halfOpened(state: State): State {
  return state.kind === 'open' ? { kind: 'halfOpen', opens: state.opens, successes: 0, leases: [] } : state;
}

/** What an outcome says about a dependency; `neutral` is ignored. */
export type Verdict = 'failure' | 'neutral' | 'success';

/**
 * The state after a probe ended. A success closes once there are enough of them, a failure opens again at once, and a
 * neutral outcome only gives the lease back: it says nothing about the dependency. A probe whose lease has ended no
 * longer counts.
 */
export function probed(
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
