/**
 * How a proxy is asked for a connection, as decisions alone: bytes in, next step out.
 *
 * Sources: RFC 9110, section 9.3.6 (CONNECT); RFC 1928 (SOCKS 5) and RFC 1929 (user and password for it).
 */
import { isIP, isIPv6 } from 'node:net';
import { addressBytes } from './ip-address.ts';
import type { Proxy } from './proxy.ts';
import type { ProxyRefusal } from './proxy-failure.ts';

/** Where a connection is asked to lead. */
export interface Destination {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What follows from what the proxy has said so far. `used` bytes of it are done with; after `open` the rest is for the user. */
export type Step =
  | { readonly next: 'read' }
  | { readonly next: 'send'; readonly bytes: Uint8Array; readonly used: number }
  | { readonly next: 'open'; readonly used: number }
  | { readonly next: 'fail'; readonly why: string; readonly code: ProxyRefusal };

export interface Handshake {
  readonly opening: Uint8Array;
  /** @param received - what has not been used so far */
  step(received: Buffer): Step;
}

const READ: Step = { next: 'read' };
const refused = (why: string): Step => ({ next: 'fail', why, code: 'ERR_PROXY_TUNNEL' });
const unavailable = (why: string): Step => ({ next: 'fail', why, code: 'ERR_PROXY_UNAVAILABLE' });

/** SOCKS has one byte for it, and DNS no longer ones. */
const LONGEST_NAME_BYTES = 255;

export function handshakeWith(proxy: Proxy, destination: Destination): Handshake {
  return proxy.kind === 'http' ? connectRequest(proxy, destination) : new Socks5(proxy, destination);
}

/** What a proxy is shown of who asks; undefined when there is nothing to show. */
export function proxyAuthorization({ credentials }: Proxy): string | undefined {
  if (credentials === undefined) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** As much as Node reads of the head of any answer. */
const LONGEST_HEAD_BYTES = 16_384;
const HTTP = 'HTTP/1.';
/** Answers that may be another one in a moment. */
const PASSING_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

function connectRequest(proxy: Proxy, { host, port }: Destination): Handshake {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const authorization = proxyAuthorization(proxy);
  const more = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`;
  return {
    opening: Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${more}\r\n`, 'latin1'),
    step: readAnswer,
  };
}

function readAnswer(received: Buffer): Step {
  const text = received.toString('latin1', 0, LONGEST_HEAD_BYTES);
  if (!text.startsWith(HTTP.slice(0, text.length))) return refused('gave an answer that is not HTTP to CONNECT');
  const [head] = /^[^]*?\r?\n\r?\n/.exec(text) ?? [];
  const [line, code] = /^HTTP\/1\.\d (\d{3})(?!\d)[^\n]*\n/.exec(text) ?? [];
  if (line === undefined && text.includes('\n')) return refused('gave an answer that is not HTTP to CONNECT');
  const status = Number(code);
  const why = `answered ${status} to CONNECT`;
  if (status >= 300) return PASSING_STATUSES.has(status) ? unavailable(why) : refused(why);
  if (head === undefined) {
    return received.length < LONGEST_HEAD_BYTES ? READ : refused('gave an answer without an end to CONNECT');
  }
  // Before the answer there may be others, which say nothing. A body it cannot have, whatever it says of one.
  if (status < 200) return { next: 'send', bytes: new Uint8Array(), used: head.length };
  return { next: 'open', used: head.length };
}

const NO_AUTHENTICATION = 0;
const USER_AND_PASSWORD = 2;
const NAME = 3;
/** How long an address is, by its type: IPv4 and IPv6. */
const ADDRESS_LENGTHS: Readonly<Record<number, number>> = { 1: 4, 4: 16 };

/** What its answers say; what is not here does not pass. */
const SOCKS_FAILURES: Readonly<Record<number, Step>> = {
  1: unavailable('failed (SOCKS)'),
  2: refused('does not allow this connection (SOCKS)'),
  3: unavailable('cannot reach the network of the host (SOCKS)'),
  4: unavailable('cannot reach the host (SOCKS)'),
  5: unavailable('had its connection refused by the host (SOCKS)'),
  6: unavailable('did not reach the host in time (SOCKS)'),
};

class Socks5 implements Handshake {
  readonly opening: Uint8Array;
  readonly #credentials: Proxy['credentials'];
  readonly #request: Uint8Array;
  #awaits: 'method' | 'authentication' | 'connection' = 'method';

  constructor({ credentials }: Proxy, { host, port }: Destination) {
    this.#credentials = credentials;
    const methods = credentials === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USER_AND_PASSWORD];
    this.opening = Uint8Array.of(5, methods.length, ...methods);
    this.#request = Uint8Array.of(5, 1, 0, ...socksAddress(host), port >> 8, port & 0xff);
  }

  step(received: Buffer): Step {
    const [version, answer] = received;
    const expected = this.#awaits === 'authentication' ? 1 : 5;
    if (version !== undefined && version !== expected) return refused('does not speak SOCKS 5');
    if (answer === undefined) return READ;
    if (this.#awaits === 'method') return this.#authenticate(answer);
    if (this.#awaits === 'authentication') {
      return answer === 0 ? this.#ask() : refused('did not accept user and password (SOCKS)');
    }
    if (answer !== 0) return SOCKS_FAILURES[answer] ?? refused(`answered ${answer} (SOCKS)`);
    return opened(received);
  }

  #authenticate(method: number): Step {
    if (method === NO_AUTHENTICATION) return this.#ask();
    if (method !== USER_AND_PASSWORD || this.#credentials === undefined) {
      return refused('wants to be authenticated to in another way (SOCKS)');
    }
    this.#awaits = 'authentication';
    const user = Buffer.from(this.#credentials.username);
    const password = Buffer.from(this.#credentials.password);
    const bytes = Uint8Array.of(1, user.length, ...user, password.length, ...password);
    return { next: 'send', bytes, used: 2 };
  }

  #ask(): Step {
    this.#awaits = 'connection';
    return { next: 'send', bytes: this.#request, used: 2 };
  }
}

function socksAddress(host: string): number[] {
  const family = isIP(host);
  if (family !== 0) return [family === 4 ? 1 : 4, ...addressBytes(host)];
  // What is cut is no name that exists.
  const name = Buffer.from(host).subarray(0, LONGEST_NAME_BYTES);
  return [NAME, name.length, ...name];
}

/** After a good answer comes the address the proxy uses, of no interest here but for how long it is. */
function opened(received: Buffer): Step {
  const type = received[3];
  if (type === undefined) return READ;
  const nameBytes = received[4];
  if (type === NAME && nameBytes === undefined) return READ;
  const length = type === NAME ? 1 + (nameBytes as number) : ADDRESS_LENGTHS[type];
  if (length === undefined) return refused('does not speak SOCKS 5');
  const used = 4 + length + 2;
  return received.length < used ? READ : { next: 'open', used };
}
