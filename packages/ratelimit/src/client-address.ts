import { isIP } from 'node:net';
import { assertInteger, assertKnownOptions, assertObject, assertText } from '@macadam/core';

/** Options of `clientAddress`. */
export interface ClientAddressOptions {
  /**
   * Number of your own proxies in front of this process, 0 to 32, each of which appends the address it saw to the
   * header. The client is what the outermost of them saw. With 0 the header is ignored, since any client can send it.
   * Default: 0.
   */
  trustedHops?: number;
  /** The header field that the proxies append to. Default: `x-forwarded-for`. */
  header?: string;
  /**
   * Number of leading bits of an IPv6 address that identify one client, 32 to 128: a household or host has a whole
   * network of addresses. Some providers assign 56. Default: 64.
   */
  ipv6PrefixLength?: number;
}

/** The part of a request that `clientAddress` reads: Node's `IncomingMessage`, or anything of this shape. */
export interface AddressedRequest {
  /** The connection of the request. */
  readonly socket: {
    /** The address of the peer, which is the last proxy where there is one. */
    readonly remoteAddress?: string | undefined;
  };
  /** The header fields, with names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** Prefixes of IPv6 addresses that contain an IPv4 address. As networks of /64, all of IPv4 would be one client. */
const IPV4_PREFIXES = [
  // Mapped (RFC 4291).
  [0, 0, 0, 0, 0, 0xffff],
  // Translated, the original form of SIIT (RFC 2765).
  [0, 0, 0, 0, 0xffff, 0],
  // Translated: NAT64, and SIIT in data centres (RFC 6052, RFC 7755).
  [0x64, 0xff9b, 0, 0, 0, 0],
];

/** The key of all clients without a known address: they share one limit. */
const UNKNOWN = 'unknown';

/**
 * Returns the address of the client as a key for a limit: one string per client, however the address is written. An
 * IPv4 address mapped into or translated to IPv6 (`64:ff9b::/96`) is that IPv4 address; an IPv6 address stands for its
 * network.
 *
 * @throws OptionsError (`MAC_INVALID_OPTIONS`) for a wrong option; never for what a client sent.
 * @example
 * ```ts
 * import { clientAddress } from '@macadam/ratelimit';
 *
 * const request = { socket: { remoteAddress: '10.0.0.1' }, headers: { 'x-forwarded-for': '6.6.6.6, 203.0.113.7' } };
 * if (clientAddress(request, { trustedHops: 1 }) !== '203.0.113.7') throw new Error('the leftmost may be a lie');
 * ```
 */
export function clientAddress(request: AddressedRequest, options: ClientAddressOptions = {}): string {
  assertObject('clientAddress', options);
  assertKnownOptions('clientAddress', options, ['trustedHops', 'header', 'ipv6PrefixLength']);
  const { trustedHops = 0, header = 'x-forwarded-for', ipv6PrefixLength = 64 } = options;
  assertInteger('clientAddress.trustedHops', trustedHops, { min: 0, max: 32 });
  assertInteger('clientAddress.ipv6PrefixLength', ipv6PrefixLength, { min: 32, max: 128 });
  assertText('clientAddress.header', header);
  assertObject('clientAddress.request', request);
  assertObject('clientAddress.request.socket', request.socket);
  const hops: string[] = [];
  if (trustedHops > 0) {
    const value = request.headers[header.toLowerCase()] ?? '';
    hops.push(...(typeof value === 'string' ? value : value.join(',')).split(',').slice(-trustedHops));
  }
  hops.push(request.socket.remoteAddress ?? '');
  // If the outermost trusted proxy added no valid address, uses that of the next one: never an entry by the client.
  for (const hop of hops) {
    const address = normalizeAddress(hop, ipv6PrefixLength);
    if (address !== undefined) return address;
  }
  return UNKNOWN;
}

function normalizeAddress(text: string, ipv6PrefixLength: number): string | undefined {
  const address = stripDecoration(text);
  const version = isIP(address);
  if (version === 4) return address;
  return version === 6 ? formatNetwork(parseGroups(address), ipv6PrefixLength) : undefined;
}

/** Removes quotes, brackets, port and zone. */
function stripDecoration(text: string): string {
  const trimmed = text.trim().replace(/^"(.*)"$/, '$1');
  const bracketed = /^\[([^\]]*)\](?::\d+)?$/.exec(trimmed)?.[1];
  const withPort = /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(trimmed)?.[1];
  return (bracketed ?? withPort ?? trimmed).replace(/%.*$/, '');
}

/** Returns the eight groups of a valid IPv6 address. */
function parseGroups(address: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const [, head = '', a, b, c, d] = dotted ?? [];
  const hex = (high: unknown, low: unknown): string => (Number(high) * 256 + Number(low)).toString(16);
  const text = dotted === null ? address : `${head}${hex(a, b)}:${hex(c, d)}`;
  const [left = '', right] = text.split('::');
  const numbers = (part: string): number[] => (part === '' ? [] : part.split(':').map((group) => parseInt(group, 16)));
  if (right === undefined) return numbers(left);
  const [before, after] = [numbers(left), numbers(right)];
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/** Returns the IPv4 address that the address contains, or the network that it is in. */
function formatNetwork(groups: readonly number[], prefixLength: number): string {
  const [high, low] = groups.slice(6) as [number, number];
  const head = groups.slice(0, 6);
  // The deprecated IPv4-compatible form (RFC 4291). With an upper half of 0 it is `::`, `::1` or similar.
  const isIpv4Compatible = head.every((group) => group === 0) && high > 0;
  if (isIpv4Compatible || IPV4_PREFIXES.some((prefix) => prefix.every((group, i) => group === head[i]))) {
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  const masked = groups.map((group, i) => {
    const bits = Math.min(16, Math.max(0, prefixLength - i * 16));
    return group & (0xffff << (16 - bits)) & 0xffff;
  });
  // Loopback keeps its full address: its network contains other addresses that are mostly zeros.
  const kept = groups.slice(0, 7).every((group) => group === 0) ? groups : masked;
  const suffix = prefixLength === 128 || kept === groups ? '' : `/${prefixLength}`;
  return `${kept.map((group) => group.toString(16)).join(':')}${suffix}`;
}
