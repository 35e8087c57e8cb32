import { isIPv4, isIPv6 } from 'node:net';
import type { Priority } from '@macadam/core';

/**
 * Whether the service belongs to the same organisation as the caller. Only an `internal` peer is sent the deadline, priority,
 * attempt number and trace context of a call.
 */
export type Peer = 'internal' | 'external';

/** How many milliseconds the caller will still wait. A remaining time, not a timestamp, so that clocks need not agree. */
export const TIMEOUT_HEADER = 'x-request-timeout-ms';
export const PRIORITY_HEADER = 'x-request-priority';
/** The number of the attempt; sent from the second on. */
export const ATTEMPT_HEADER = 'x-request-attempt';

const INTERNAL_SUFFIXES = ['.internal', '.local', '.localhost', '.svc'];

/**
 * `internal` for loopback and private addresses and for names under `.internal`, `.local` and `.svc`; everything else
 * is `external`, because a public name does not show who runs the host.
 *
 * @param hostname - as `URL.hostname` spells it
 */
export function inferPeer(hostname: string): Peer {
  const name = hostname.replace(/\.$/, '').toLowerCase();
  if (isIPv4(name)) return isPrivateIPv4(name) ? 'internal' : 'external';
  if (name.startsWith('[')) return isPrivateIPv6(name.slice(1, -1)) ? 'internal' : 'external';
  if (name === 'localhost') return 'internal';
  return INTERNAL_SUFFIXES.some((suffix) => name.endsWith(suffix)) ? 'internal' : 'external';
}

/** Host and port, the port of the scheme included. */
export function authorityOf(url: URL): string {
  return url.port === '' ? `${url.hostname}:${url.protocol === 'https:' ? 443 : 80}` : url.host;
}

/** 127/8 (RFC 1122), 10/8, 172.16/12, 192.168/16 (RFC 1918), 100.64/10 (RFC 6598, where clusters live). */
function isPrivateIPv4(address: string): boolean {
  const [a, b] = address.split('.').map(Number) as [number, number];
  if (a === 127 || a === 10) return true;
  if (a === 172) return b >= 16 && b <= 31;
  if (a === 192) return b === 168;
  return a === 100 && b >= 64 && b <= 127;
}

/** ::1, fc00::/7 (RFC 4193), fe80::/10, and IPv4 in IPv6, which `URL` spells as two hexadecimal groups. */
function isPrivateIPv6(address: string): boolean {
  if (!isIPv6(address)) return false;
  if (address === '::1') return true;
  const mapped = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(address);
  if (mapped !== null) {
    const high = Number.parseInt(mapped[1] as string, 16);
    const low = Number.parseInt(mapped[2] as string, 16);
    return isPrivateIPv4(`${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`);
  }
  return /^f[cd]/.test(address) || /^fe[89ab]/.test(address);
}

/** Appends the headers that propagate deadline, priority and attempt number to an internal peer. */
export function withPropagation(
  headers: readonly string[],
  { limitMs, priority, attempt }: { limitMs: number; priority: Priority | undefined; attempt: number },
): string[] {
  const all = [...headers];
  add(all, TIMEOUT_HEADER, String(Math.max(1, Math.floor(limitMs))));
  if (isSent(priority)) add(all, PRIORITY_HEADER, priority);
  if (attempt > 1) add(all, ATTEMPT_HEADER, String(attempt));
  return all;
}

/** Appends the priority only, which does not depend on the attempt. */
export function withPriority(headers: readonly string[], priority: Priority | undefined): readonly string[] {
  if (!isSent(priority)) return headers;
  const all = [...headers];
  add(all, PRIORITY_HEADER, priority);
  return all;
}

/** Adds a header, unless the caller sets it. */
function add(headers: string[], name: string, value: string): void {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return;
  headers.push(name, value);
}

function isSent(priority: Priority | undefined): priority is Exclude<Priority, 'normal'> {
  return priority !== undefined && priority !== 'normal';
}
