/**
 * The meaning of `NO_PROXY`. There is no standard, and programs differ. These are the rules that most agree on (Go's net/http,
 * curl, undici), so that a list that works for the other programs of a machine works here too. Address ranges are supported
 * because Kubernetes clusters put them into the list.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { ConnectTarget } from '../dispatcher.ts';
import { addressRange, isLoopback, withoutBrackets } from './ip-address.ts';

interface Rule {
  /** Undefined for all ports. */
  readonly port: number | undefined;
  /** @param host - in lower case, without a trailing dot or brackets */
  readonly matches: (host: string) => boolean;
}

/**
 * Returns a predicate: whether a target is reached without a proxy. The list contains, separated by commas or spaces and with
 * or without a port (`example.com:8080`, `[::1]:8080`):
 * - names (`example.com`, `.example.com`): the name itself and its subdomains; `*.example.com` matches subdomains only;
 * - addresses (`10.1.2.3`, `::1`) and ranges (`10.0.0.0/8`, `fd00::/8`), which match hosts that are literal addresses;
 * - `*`: all hosts.
 *
 * Entries that cannot be parsed are ignored. Loopback targets are never reached through a proxy: it would connect to itself.
 */
export function noProxy(list: string): (target: ConnectTarget) => boolean {
  const rules = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(parseRule);
  return ({ protocol, hostname, port }) => {
    const host = normalizeHost(hostname);
    if (isLoopbackHost(host)) return true;
    const targetPort = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    return rules.some((rule) => (rule.port === undefined || rule.port === targetPort) && rule.matches(host));
  };
}

function normalizeHost(hostname: string): string {
  return withoutBrackets(hostname).replace(/\.$/, '').toLowerCase();
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isLoopback(host);
}

function parseRule(entry: string): Rule {
  // IPv6 addresses contain colons, so one with a port is in brackets.
  const [, bracketed, port] = /^\[(.+)\](?::(\d+))?$/.exec(entry) ?? /^([^:]+):(\d+)$/.exec(entry) ?? [];
  return { port: port === undefined ? undefined : Number(port), matches: hostMatcher(bracketed ?? entry) };
}

function hostMatcher(text: string): (host: string) => boolean {
  if (text === '*') return () => true;
  const range = addressRange(text);
  if (range !== undefined) return (host) => range.includes(host);
  const subdomainsOnly = text.startsWith('*.');
  const domain = text.replace(/^\*?\./, '').replace(/\.$/, '');
  const name = domainToASCII(domain) || domain.toLowerCase();
  // The end of a literal address is no parent domain.
  return (host) => isIP(host) === 0 && ((!subdomainsOnly && host === name) || host.endsWith(`.${name}`));
}
