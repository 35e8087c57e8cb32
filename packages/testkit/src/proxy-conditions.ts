import { assertKnownOptions, assertNumber, assertObject, assertOneOf } from '@macadam/core';
import { assertDistribution, type Distribution } from './distribution.ts';

/**
 * The state of the link:
 *
 * - `up`: bytes are forwarded.
 * - `blackHole`: nothing is read or sent and sockets stay open; what was held back is forwarded once the link is up again.
 * - `halfOpen`: the connection to the target is closed, that to the client stays open; what the client sends is dropped.
 * - `reset`: open and new connections are reset (TCP RST).
 * - `refuse`: open connections are reset, and new ones refused by the kernel.
 */
export type ProxyLink = 'up' | 'blackHole' | 'halfOpen' | 'reset' | 'refuse';

/** The conditions of a fault proxy. What is omitted is healthy. */
export interface ProxyConditions {
  /** Delays bytes in both directions, or each direction by a distribution of its own; their order is kept. Default: none. */
  latency?: Distribution | { toTarget?: Distribution; toClient?: Distribution };
  /** Bandwidth per connection and direction in bytes per second, above 0. Default: `Infinity`. */
  bytesPerSecond?: number;
  /** The state of the link. Default: `up`. */
  link?: ProxyLink;
}

/** Validated conditions with all defaults. */
export interface LinkConditions {
  readonly toTarget: Distribution | undefined;
  readonly toClient: Distribution | undefined;
  readonly bytesPerSecond: number;
  readonly link: ProxyLink;
}

/** Validates conditions and adds the defaults. */
export function toLinkConditions(path: string, conditions: ProxyConditions): LinkConditions {
  assertObject(path, conditions);
  assertKnownOptions(path, conditions, ['latency', 'bytesPerSecond', 'link']);
  const { latency, bytesPerSecond = Infinity, link = 'up' } = conditions;
  assertNumber(`${path}.bytesPerSecond`, bytesPerSecond, { above: 0, infinite: true });
  assertOneOf(`${path}.link`, link, ['up', 'blackHole', 'halfOpen', 'reset', 'refuse']);
  return { ...toDirections(`${path}.latency`, latency), bytesPerSecond, link };
}

/** Describes conditions in words. */
export function describeConditions({ toTarget, toClient, bytesPerSecond, link }: LinkConditions): string {
  const parts: string[] = [`link ${link}`];
  if (toTarget !== undefined) parts.push(`${toTarget.describe()} to the target`);
  if (toClient !== undefined) parts.push(`${toClient.describe()} to the client`);
  if (bytesPerSecond < Infinity) parts.push(`${bytesPerSecond} bytes a second`);
  return parts.join(', ');
}

function toDirections(
  path: string,
  latency: ProxyConditions['latency'],
): Pick<LinkConditions, 'toTarget' | 'toClient'> {
  if (latency === undefined) return { toTarget: undefined, toClient: undefined };
  assertObject(path, latency);
  if ('sample' in latency) {
    assertDistribution(path, latency);
    return { toTarget: latency, toClient: latency };
  }
  assertKnownOptions(path, latency, ['toTarget', 'toClient']);
  const { toTarget, toClient } = latency;
  if (toTarget !== undefined) assertDistribution(`${path}.toTarget`, toTarget);
  if (toClient !== undefined) assertDistribution(`${path}.toClient`, toClient);
  return { toTarget, toClient };
}
