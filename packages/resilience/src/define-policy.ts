/**
 * Defines policies: a policy is usable alone (as a chain of one layer) and can be built into a pipeline, which finds its
 * `Layer` under a private symbol.
 */
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

/** What a pipeline needs to build a policy in. */
export interface Layer {
  readonly clock: Clock;
  /** Builds the policy around `inner`. `role` says whether a timeout limits the whole call or one attempt. */
  around(inner: Stage, role: 'attempt' | 'call'): Stage;
  /** Whether it may run the function after the call was started, or more than once. */
  readonly defers: boolean;
  /** Whether it captures the context of the caller itself when it defers a call. Otherwise that is done for every call. */
  readonly keepsContext?: boolean;
  /** Whether it makes attempts, also if its options allow only one, so that a timeout inside limits each attempt. */
  readonly repeats: boolean;
  /** Whether it repeats what fails, so that policies inside the function must not. Default: false. */
  readonly ownsRetries?: boolean;
  /** The time limit it sets, in milliseconds, for checks across layers. */
  readonly limitMs?: number;
}

// Internal to this package: the symbols are private to this file, and the properties are not enumerable.
const LAYER = Symbol('layer');
const ROUTED = Symbol('stage built by routed()');
const ROUTED_INNER = Symbol('inner stage of the stage built by routed()');

interface BuiltIn {
  readonly [LAYER]?: Layer;
  [ROUTED]?: Stage | undefined;
  [ROUTED_INNER]?: Stage | undefined;
}

/** Returns the layer of a policy; undefined if it was not made by this copy of the package. */
export function layerOf(policy: object): Layer | undefined {
  return (policy as BuiltIn | null)?.[LAYER];
}

/**
 * Returns the stage that was built last from `policy`, if it was built around `inner`. It is cached in the policy itself,
 * since with thousands of endpoints any map would be slower.
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

/** Makes a policy that is usable alone. The object `parts` becomes the policy, so that its getters are preserved. */
export function definePolicy<P extends Pick<Policy, 'describe' | 'stats'>>(
  kind: PolicyKind,
  layer: Layer,
  parts: P,
): P & Policy {
  // Created on first use: most policies, such as the breakers of a thousand endpoints, are never used alone.
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
  const { clock, ownsRetries = false, limitMs = Infinity } = layer;
  return { clock, keepsContext: needsContext(layer), ownsRetries, limitMs, outermost: layer.around(innermost, 'call') };
}

/** Whether the context of the caller has to be captured at the start of each call. */
export function needsContext({ defers, keepsContext = false }: Layer): boolean {
  return defers && !keepsContext;
}

/** Runs one call through a chain of stages. Wrong options reject the promise instead of throwing. */
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
