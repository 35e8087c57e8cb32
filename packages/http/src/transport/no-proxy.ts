/**
 * Which hosts are reached without a proxy: what `NO_PROXY` means. No standard says, and programs differ. This is what most of
 * them agree on (Go's net/http, curl, undici), so that a list that works for the rest of a machine works here too; ranges of
 * addresses are what clusters write into it.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import type { ConnectTarget } from '../dispatcher.ts';
import { addressRange, isLoopback, withoutBrackets } from './ip-address.ts';

interface Rule {
  /** Undefined for all ports. */
  readonly port: number | undefined;
  /** @param host - in lower case, without a dot at its end; an address without brackets */
  readonly holdsFor: (host: string) => boolean;
}

/**
 * Whether a target is reached without a proxy, by a list of
 * - names (`example.com`, `.example.com`): the name itself, and all below it; `*.example.com` only what is below it;
 * - addresses (`10.1.2.3`, `::1`) and ranges of them (`10.0.0.0/8`, `fd00::/8`), for hosts that are given as addresses;
 * - `*`, which is all hosts;
 *
 * each with or without a port (`example.com:8080`, `[::1]:8080`), with commas or spaces between them. What cannot be read
 * is passed over. A target on this machine is never reached through a proxy, which would look for it on its own.
 */
export function noProxy(list: string): (target: ConnectTarget) => boolean {
  const rules = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(ruleOf);
  return ({ protocol, hostname, port }) => {
    const host = hostOf(hostname);
    if (isThisMachine(host)) return true;
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    return rules.some((rule) => (rule.port === undefined || rule.port === number) && rule.holdsFor(host));
  };
}

function hostOf(hostname: string): string {
  return withoutBrackets(hostname).replace(/\.$/, '').toLowerCase();
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || isLoopback(host);
}

function ruleOf(entry: string): Rule {
  // An address of IPv6 has colons of its own: with a port it stands in brackets.
  const [, bracketed, port] = /^\[(.+)\](?::(\d+))?$/.exec(entry) ?? /^([^:]+):(\d+)$/.exec(entry) ?? [];
  return { port: port === undefined ? undefined : Number(port), holdsFor: hostRule(bracketed ?? entry) };
}

function hostRule(text: string): (host: string) => boolean {
  if (text === '*') return () => true;
  const range = addressRange(text);
  if (range !== undefined) return (host) => range.includes(host);
  const onlyBelow = text.startsWith('*.');
  const bare = text.replace(/^\*?\./, '').replace(/\.$/, '');
  const name = domainToASCII(bare) || bare.toLowerCase();
  // Of addresses the end is not what they belong to.
  return (host) => isIP(host) === 0 && ((!onlyBelow && host === name) || host.endsWith(`.${name}`));
}
