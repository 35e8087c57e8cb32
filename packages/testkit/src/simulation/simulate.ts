import { ExpiryQueue, OptionsError } from '@macadam/core';
import { seededRandom } from '../seeded-random.ts';
import { virtualClock } from '../virtual-clock.ts';
import { ClientGroup, makePolicies } from './client-group.ts';
import { Measurements } from './measurements.ts';
import { ServerGroup, type SimulationContext } from './server-group.ts';
import type { SimulatedPolicy } from './simulated-policy.ts';
import { assertSimulateOptions, type SimulateOptions, type SimulatedService } from './simulation-options.ts';
import { summarize, type SimulationResult } from './simulation-result.ts';
import { noTrace, TextTrace } from './trace.ts';

/**
 * Simulates clients with real policies and servers with faults in virtual time, and measures what users experience. Servers have queues
 * and workers; clients send at their own rate, however slow the responses are.
 *
 * The same options give the same result and trace on every machine, as long as the policies use the clock and source of randomness they
 * are given.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option.
 * @example
 * const result = await simulate({
 *   durationMs: 60_000,
 *   clients: [{ name: 'web', arrivals: poissonArrivals({ ratePerSecond: 200 }) }],
 *   servers: [
 *     {
 *       name: 'orders',
 *       serviceTime: logNormal({ medianMs: 10, p99Ms: 80 }),
 *       workers: 20,
 *       faults: [{ kind: 'down', fromMs: 20_000, toMs: 40_000 }],
 *     },
 *   ],
 *   policy: ({ clock, random, service }) => standardPipeline({ name: service, clock, random }),
 * });
 * result.duringFault?.amplification; // how much the retries added to the trouble
 */
export async function simulate(options: SimulateOptions): Promise<SimulationResult> {
  assertSimulateOptions(options);
  const clock = virtualClock();
  const trace = options.trace === true ? new TextTrace() : noTrace;
  const context: SimulationContext = { clock, random: seededRandom(options.seed ?? 1), trace, policy: options.policy };
  const measurements = new Measurements();
  const services = makeServices(options.servers, context);
  for (const client of makeClients(options, services, context, measurements)) client.start(options.durationMs);

  await clock.advance(options.durationMs);
  while (measurements.inFlight > 0) await clock.advanceToNext();
  return summarize(options, measurements, [...services.values()], options.trace === true ? String(trace) : '');
}

/** From the end of the list, so that the service that another one calls exists before it. */
function makeServices(services: readonly SimulatedService[], context: SimulationContext): Map<string, ServerGroup> {
  const groups = new Map<string, ServerGroup>();
  for (const service of services.toReversed()) {
    const dependency = service.calls && groups.get(service.calls.service);
    groups.set(service.name, new ServerGroup(service, context, dependency));
  }
  return groups;
}

function makeClients(
  { clients, servers }: SimulateOptions,
  services: Map<string, ServerGroup>,
  context: SimulationContext,
  measurements: Measurements,
): ClientGroup[] {
  const patience = new ExpiryQueue(context.clock);
  const policiesOf = new Map<string, SimulatedPolicy[]>();
  return clients.map((client, index) => {
    const name = client.service ?? (servers[0] as SimulatedService).name;
    const shared = client.sharesPolicyWith;
    const policies = shared === undefined ? makePolicies(client, name, context) : policiesOf.get(shared);
    if (policies === undefined) {
      throw new OptionsError(`simulate.clients[${index}].sharesPolicyWith`, shared, 'a client further up in the list');
    }
    policiesOf.set(client.name, policies);
    return new ClientGroup(client, index, {
      service: services.get(name) as ServerGroup,
      context,
      measurements,
      patience,
      policies,
    });
  });
}
