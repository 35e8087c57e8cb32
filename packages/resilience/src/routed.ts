import { assertClock, assertKnownOptions, assertObject, OptionsError, systemClock, type Clock } from '@macadam/core';
import { notRunning, type Stage } from './call.ts';
import { buildRouted, definePolicy, layerOf, routedStage, type Layer } from './define-policy.ts';
import type { Policy } from './policy.ts';

/** Options of {@link routed}. */
export interface RoutedOptions {
  /** The clock for all waits and durations. Default: `systemClock`. */
  clock?: Clock;
}

/**
 * Runs each attempt under the policy that `route` of the call selects, for a dependency with several endpoints. A call without a
 * `route` passes through.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option; and, as the failure of a call, if its route returns something that is
 * not a policy of this package, has another clock, or defers or repeats attempts itself.
 * @example
 * ```ts
 * import { circuitBreakers, pipeline, retry, routed } from '@macadam/resilience';
 *
 * const breakers = circuitBreakers();
 * const hosts = ['a.internal', 'b.internal'];
 * const route = { next: (attempt: number) => breakers.for(hosts[attempt % hosts.length] as string) };
 * await pipeline(retry(), routed()).execute(async () => 'ok', { route });
 * ```
 */
export function routed(options: RoutedOptions = {}): Policy {
  assertObject('routed', options);
  assertKnownOptions('routed', options, ['clock']);
  const { clock = systemClock } = options;
  assertClock('routed.clock', clock);
  let tries = 0;
  const around = (inner: Stage): Stage => {
    // Built once per policy, unless several pipelines use the policy in turn: only the last stage is cached.
    const stageOf = (policy: Policy): Stage =>
      routedStage(policy, inner) ?? buildRouted(policy, checkedLayer(policy, clock), inner);
    return {
      start(call, attempt, sink) {
        const route = call.options?.route;
        if (route === undefined) return inner.start(call, attempt, sink);
        let stage: Stage;
        try {
          const policy = route.next(attempt);
          stage = policy === undefined ? inner : stageOf(policy);
        } catch (error) {
          sink.fail(error);
          return notRunning;
        }
        tries++;
        return stage.start(call, attempt, sink);
      },
    };
  };
  return definePolicy(
    'routed',
    { clock, defers: false, repeats: false, around },
    { describe: () => 'routed: each attempt under the policy of its route', stats: () => ({ tries }) },
  );
}

function checkedLayer(policy: Policy, clock: Clock): Layer {
  const layer = layerOf(policy);
  if (layer === undefined) throw new OptionsError('route.next()', policy, 'a policy made by this package');
  if (layer.clock !== clock) throw new OptionsError('route.next().clock', layer.clock, 'the clock of routed()');
  if (layer.defers || layer.repeats) {
    throw new OptionsError('route.next()', policy.kind, 'a policy that neither defers nor repeats an attempt');
  }
  return layer;
}
