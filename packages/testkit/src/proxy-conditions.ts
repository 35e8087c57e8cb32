import { assertKnownOptions, assertNumber, assertObject, assertOneOf } from '@macadam/core';
import { assertDistribution, type Distribution } from './distribution.ts';

/**
 * What becomes of connections. `up`: bytes flow. `blackHole`: nothing is read or sent, sockets stay open, and
 * everything that was held back flows once the link is up again. `halfOpen`: the target's side is closed and the
 * client is not told; what it sends is swallowed. `reset`: every connection, and each new one, ends with a TCP RST.
 * `refuse`: the same, and the kernel refuses new ones.
 */
export type ProxyLink = 'up' | 'blackHole' | 'halfOpen' | 'reset' | 'refuse';

/** How the proxy treats what passes. Everything that is left out is healthy. */
export interface ProxyConditions {
  /** Delays bytes, each way by one sample, or each way by its own. Order is kept. Default: none. */
  latency?: Distribution | { toTarget?: Distribution; toClient?: Distribution };
  /** The rate of each connection and direction, in bytes a second. Default: Infinity. */
  bytesPerSecond?: number;
  /** Default: `up`. */
  link?: ProxyLink;
}

/** Conditions with nothing left open. */
export interface LinkConditions {
  readonly toTarget: Distribution | undefined;
  readonly toClient: Distribution | undefined;
  readonly bytesPerSecond: number;
  readonly link: ProxyLink;
}

/** Checks the conditions and fills in what was left out. */
export function toLinkConditions(path: string, conditions: ProxyConditions): LinkConditions {
  assertObject(path, conditions);
  assertKnownOptions(path, conditions, ['latency', 'bytesPerSecond', 'link']);
  const { latency, bytesPerSecond = Infinity, link = 'up' } = conditions;
  assertNumber(`${path}.bytesPerSecond`, bytesPerSecond, { above: 0, infinite: true });
  assertOneOf(`${path}.link`, link, ['up', 'blackHole', 'halfOpen', 'reset', 'refuse']);
  return { ...toDirections(`${path}.latency`, latency), bytesPerSecond, link };
}

/** The conditions, in words. */
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
