import {
  assertBoolean,
  assertDurationMs,
  assertFunction,
  assertKnownOptions,
  assertObject,
  assertSignal,
  type Clock,
} from '@macadam/core';
import { innermost } from './attempt.ts';
import { Call, type Chain, type Stage } from './call.ts';
import type { ExecuteOptions, ExecuteFunction, Policy, PolicyKind, Route } from './policy.ts';

/** What a pipeline needs to know of a policy. */
export interface Layer {
  readonly clock: Clock;
  /** Puts the policy around `inner`. `role` says whether a timeout guards the whole call or one try. */
  around(inner: Stage, role: 'attempt' | 'call'): Stage;
  /** Whether it may run the function later than, or more than once after, the call began. */
  readonly defers: boolean;
  /** Whether it keeps the caller's context itself when it defers a call; otherwise it is kept for every call. */
  readonly keepsContext?: boolean;
  /** Whether it repeats what failed. */
  readonly repeats: boolean;
  /** The time limit it sets, in milliseconds, for checks across layers. */
  readonly limitMs?: number;
}

// How a policy is built in is nobody's business but a pipeline's: these names are known here only, and nothing lists them.
const LAYER = Symbol('how a pipeline builds it in');
const ROUTED = Symbol('what routed() has built of it');
const ROUTED_INNER = Symbol('what that is built around');

interface BuiltIn {
  readonly [LAYER]?: Layer;
  [ROUTED]?: Stage | undefined;
  [ROUTED_INNER]?: Stage | undefined;
}

/** How a pipeline builds `policy` in; undefined for what this copy of the package did not make. */
export function layerOf(policy: object): Layer | undefined {
  return (policy as BuiltIn | null)?.[LAYER];
}

/**
 * What was built of `policy` around `inner`, if that was the last thing built of it. A policy keeps it itself: among those
 * of thousands of endpoints there is no faster place to find it.
 */
export function routedStage(policy: object, inner: Stage): Stage | undefined {
  const built = policy as BuiltIn | null;
  return built?.[ROUTED_INNER] === inner ? built[ROUTED] : undefined;
}

/** Builds `policy` around `inner`, for {@link routedStage} to find. */
export function buildRouted(policy: object, layer: Layer, inner: Stage): Stage {
  const stage = layer.around(inner, 'attempt');
  (policy as BuiltIn)[ROUTED_INNER] = inner;
  (policy as BuiltIn)[ROUTED] = stage;
  return stage;
}

/** Makes a policy usable alone: a pipeline of one layer. The parts become the policy, so their getters stay alive. */
export function definePolicy<P extends Pick<Policy, 'describe' | 'stats'>>(
  kind: PolicyKind,
  layer: Layer,
  parts: P,
): P & Policy {
  // Made when it is used alone: the breakers of a thousand endpoints never are.
  let chain: Chain | undefined;
  const policy = Object.assign(parts, {
    kind,
    execute: <T>(fn: ExecuteFunction<T>, options?: ExecuteOptions): Promise<T> =>
      execute((chain ??= chainOf(layer)), fn, options),
  });
  const hidden = { writable: true, value: undefined };
  return Object.defineProperties(policy, { [LAYER]: { value: layer }, [ROUTED]: hidden, [ROUTED_INNER]: hidden });
}

function chainOf(layer: Layer): Chain {
  const { clock, repeats, limitMs = Infinity } = layer;
  return { clock, keepsContext: needsContext(layer), repeats, limitMs, outermost: layer.around(innermost, 'call') };
}

/** Whether the caller's context has to be kept from the start of each call. */
export function needsContext({ defers, keepsContext = false }: Layer): boolean {
  return defers && !keepsContext;
}

/** Runs one call through a chain of stages. Wrong options reject, as everything else about a call does. */
function execute<T>(chain: Chain, fn: ExecuteFunction<T>, options: ExecuteOptions | undefined): Promise<T> {
  try {
    if (typeof fn !== 'function') assertFunction('execute.fn', fn);
    if (options !== undefined) assertExecuteOptions(options);
  } catch (error) {
    return Promise.reject(error as Error);
  }
  return new Call(chain, fn, options).promise as Promise<T>;
}

const EXECUTE_OPTIONS = ['idempotent', 'signal', 'timeoutMs', 'attemptTimeoutMs', 'route'];

function assertExecuteOptions(options: ExecuteOptions): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) assertObject('execute', options);
  for (const name in options) {
    if (!EXECUTE_OPTIONS.includes(name)) assertKnownOptions('execute', options, EXECUTE_OPTIONS);
  }
  const { timeoutMs, attemptTimeoutMs, idempotent, route, signal } = options;
  if (timeoutMs !== undefined) assertDurationMs('execute.timeoutMs', timeoutMs);
  if (attemptTimeoutMs !== undefined) assertDurationMs('execute.attemptTimeoutMs', attemptTimeoutMs);
  if (idempotent !== undefined) assertBoolean('execute.idempotent', idempotent);
  if (route !== undefined) assertFunction('execute.route.next', (route as Partial<Route> | null)?.next);
  assertSignal('execute.signal', signal);
}
