/**
 * The protocols by which a proxy is asked to open a tunnel, without I/O: received bytes in, next step out.
 *
 * Sources: RFC 9110, section 9.3.6 (CONNECT); RFC 1928 (SOCKS 5) and RFC 1929 (its user and password).
 */
import { isIP, isIPv6 } from 'node:net';
import { addressBytes } from './ip-address.ts';
import type { Proxy } from './proxy.ts';
import type { ProxyRefusalCode } from './proxy-error.ts';

/** Where the tunnel is to lead. */
export interface Destination {
  /** A name, or an address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** What to do after the bytes received so far. `consumed` bytes are done with; those left after `open` came from the target. */
export type HandshakeStep =
  | { readonly next: 'read' }
  | { readonly next: 'send'; readonly bytes: Uint8Array; readonly consumed: number }
  | { readonly next: 'open'; readonly consumed: number }
  /** `what` is what the proxy did, as in the message of `ProxyError`. */
  | { readonly next: 'fail'; readonly what: string; readonly code: ProxyRefusalCode };

export interface ProxyHandshake {
  /** The bytes to send first. */
  readonly opening: Uint8Array;
  /** @param received - the bytes that no earlier step has consumed */
  step(received: Buffer): HandshakeStep;
}

const READ: HandshakeStep = { next: 'read' };
const refused = (what: string): HandshakeStep => ({ next: 'fail', what, code: 'ERR_PROXY_TUNNEL' });
const unavailable = (what: string): HandshakeStep => ({ next: 'fail', what, code: 'ERR_PROXY_UNAVAILABLE' });

export function proxyHandshake(proxy: Proxy, destination: Destination): ProxyHandshake {
  return proxy.kind === 'http' ? connectHandshake(proxy, destination) : new Socks5Handshake(proxy, destination);
}

/** The value of `proxy-authorization`; undefined without credentials. */
export function proxyAuthorization({ credentials }: Proxy): string | undefined {
  if (credentials === undefined) return undefined;
  return `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
}

/** The limit that Node has for the head of a response. */
const MAX_HEAD_BYTES = 16_384;
const HTTP1 = 'HTTP/1.';
/** Statuses of faults that may pass by themselves. */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

function connectHandshake(proxy: Proxy, { host, port }: Destination): ProxyHandshake {
  const authority = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const authorization = proxyAuthorization(proxy);
  const credentials = authorization === undefined ? '' : `proxy-authorization: ${authorization}\r\n`;
  return {
    opening: Buffer.from(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`, 'latin1'),
    step: readConnectResponse,
  };
}

function readConnectResponse(received: Buffer): HandshakeStep {
  const text = received.toString('latin1', 0, MAX_HEAD_BYTES);
  if (!text.startsWith(HTTP1.slice(0, text.length)))
    return refused('sent something that is not HTTP in response to CONNECT');
  const [head] = /^[^]*?\r?\n\r?\n/.exec(text) ?? [];
  const [statusLine, code] = /^HTTP\/1\.\d (\d{3})(?!\d)[^\n]*\n/.exec(text) ?? [];
  if (statusLine === undefined && text.includes('\n'))
    return refused('sent something that is not HTTP in response to CONNECT');
  const status = Number(code);
  const what = `answered ${status} to CONNECT`;
  if (status >= 300) return TRANSIENT_STATUSES.has(status) ? unavailable(what) : refused(what);
  if (head === undefined) {
    return received.length < MAX_HEAD_BYTES ? READ : refused('sent a response to CONNECT whose head is too long');
  }
  // An interim response is skipped.
  if (status < 200) return { next: 'send', bytes: new Uint8Array(), consumed: head.length };
  // A 2xx response to CONNECT has no body, whatever its headers say (RFC 9110, section 9.3.6).
  return { next: 'open', consumed: head.length };
}

/** Authentication methods. */
const NO_AUTHENTICATION = 0;
const USERNAME_PASSWORD = 2;
/** Address types. */
const IPV4 = 1;
const DOMAIN_NAME = 3;
const IPV6 = 4;
const ADDRESS_BYTES: Readonly<Record<number, number>> = { [IPV4]: 4, [IPV6]: 16 };
/** The length of a name has one byte. DNS has no longer names either. */
const MAX_NAME_BYTES = 255;

/** By reply code. Codes that are not listed will not pass by themselves. */
const SOCKS_FAILURES: Readonly<Record<number, HandshakeStep>> = {
  1: unavailable('failed (SOCKS)'),
  2: refused('does not allow this connection (SOCKS)'),
  3: unavailable('cannot reach the network of the host (SOCKS)'),
  4: unavailable('cannot reach the host (SOCKS)'),
  5: unavailable('had its connection refused by the host (SOCKS)'),
  6: unavailable('did not reach the host in time (SOCKS)'),
};

class Socks5Handshake implements ProxyHandshake {
  readonly opening: Uint8Array;
  readonly #credentials: Proxy['credentials'];
  readonly #connectRequest: Uint8Array;
  #awaiting: 'method' | 'authentication' | 'connection' = 'method';

  constructor({ credentials }: Proxy, { host, port }: Destination) {
    this.#credentials = credentials;
    const methods = credentials === undefined ? [NO_AUTHENTICATION] : [NO_AUTHENTICATION, USERNAME_PASSWORD];
    this.opening = Uint8Array.of(5, methods.length, ...methods);
    this.#connectRequest = Uint8Array.of(5, 1, 0, ...encodeAddress(host), port >> 8, port & 0xff);
  }

  step(received: Buffer): HandshakeStep {
    const [version, reply] = received;
    const expectedVersion = this.#awaiting === 'authentication' ? 1 : 5;
    if (version !== undefined && version !== expectedVersion) return refused('does not speak SOCKS 5');
    if (reply === undefined) return READ;
    if (this.#awaiting === 'method') return this.#authenticate(reply);
    if (this.#awaiting === 'authentication') {
      return reply === 0 ? this.#requestConnection() : refused('did not accept user and password (SOCKS)');
    }
    if (reply !== 0) return SOCKS_FAILURES[reply] ?? refused(`answered ${reply} (SOCKS)`);
    return readBoundAddress(received);
  }

  #authenticate(method: number): HandshakeStep {
    if (method === NO_AUTHENTICATION) return this.#requestConnection();
    if (method !== USERNAME_PASSWORD || this.#credentials === undefined) {
      return refused('accepts none of the offered authentication methods (SOCKS)');
    }
    this.#awaiting = 'authentication';
    const user = Buffer.from(this.#credentials.username);
    const password = Buffer.from(this.#credentials.password);
    const bytes = Uint8Array.of(1, user.length, ...user, password.length, ...password);
    return { next: 'send', bytes, consumed: 2 };
  }

  #requestConnection(): HandshakeStep {
    this.#awaiting = 'connection';
    return { next: 'send', bytes: this.#connectRequest, consumed: 2 };
  }
}

function encodeAddress(host: string): number[] {
  const family = isIP(host);
  if (family !== 0) return [family === 4 ? IPV4 : IPV6, ...addressBytes(host)];
  // A longer name does not exist in DNS, so it does not matter that the proxy looks up a truncated one.
  const name = Buffer.from(host).subarray(0, MAX_NAME_BYTES);
  return [DOMAIN_NAME, name.length, ...name];
}

/** The address that the proxy connects from follows a successful reply. It is skipped. */
function readBoundAddress(received: Buffer): HandshakeStep {
  const type = received[3];
  if (type === undefined) return READ;
  const nameBytes = received[4];
  if (type === DOMAIN_NAME && nameBytes === undefined) return READ;
  const length = type === DOMAIN_NAME ? 1 + (nameBytes as number) : ADDRESS_BYTES[type];
  if (length === undefined) return refused('does not speak SOCKS 5');
  const consumed = 4 + length + 2;
  return received.length < consumed ? READ : { next: 'open', consumed };
}
