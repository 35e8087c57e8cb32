import type { LookupAddress } from 'node:dns';
import { isIP, isIPv6, type LookupFunction, type Socket } from 'node:net';
import type { Connect, ConnectTarget } from '../dispatcher.ts';
import type { TlsOptions } from './tls.ts';

/** How a tunnel is made. */
export interface TunnelOptions {
  /** An http or https URL, user and password in it if the proxy wants them. */
  readonly proxy: string;
  readonly tls: TlsOptions | undefined;
  /** In milliseconds, until the proxy has opened it. */
  readonly timeoutMs: number;
  readonly lookup: LookupFunction;
  /** Encrypts what goes through the tunnel. */
  readonly secure: Connect;
}

/**
 * Connects through an HTTP proxy to an address that was found, and checked, on this side: CONNECT names the address, so that
 * the proxy has no name to resolve. Plain http goes through a tunnel too.
 */
export function tunnel(options: TunnelOptions): Connect {
  return (target, callback) => {
    locate(target.hostname, options.lookup, (error, address) => {
      if (error !== null) callback(error, null);
      else open(options, target, address, callback).catch((cause: Error) => callback(cause, null));
    });
  };
}

function locate(
  hostname: string,
  lookup: LookupFunction,
  found: (...result: [error: null, address: string] | [error: Error, address: null]) => void,
): void {
  const literal = hostname.replace(/^\[|\]$/g, '');
  if (isIP(literal) !== 0) {
    found(null, literal);
    return;
  }
  lookup(hostname, { all: true }, (error, addresses) => {
    if (error !== null) found(error, null);
    else found(null, typeof addresses === 'string' ? addresses : (addresses[0] as LookupAddress).address);
  });
}

async function open(
  { proxy, tls, timeoutMs, secure }: TunnelOptions,
  target: ConnectTarget,
  address: string,
  callback: Parameters<Connect>[1],
): Promise<void> {
  const { protocol, hostname, port, username, password } = new URL(proxy);
  const encrypted = target.protocol === 'https:';
  const path = `${isIPv6(address) ? `[${address}]` : address}:${target.port || (encrypted ? 443 : 80)}`;
  const headers: Record<string, string> = { host: path };
  if (username !== '' || password !== '') {
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers['proxy-authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  const usual = { hostname: hostname.replace(/^\[|\]$/g, ''), port, method: 'CONNECT', path, headers, agent: false };
  // Only where there is a proxy: an ES module that imports them makes Node load all that they export, its own undici too.
  const request =
    protocol === 'https:'
      ? (await import('node:https')).request({ ...usual, ...(tls?.ca !== undefined && { ca: tls.ca as never }) })
      : (await import('node:http')).request(usual);
  request.setTimeout(timeoutMs, () => {
    request.destroy(failed('The proxy did not open a tunnel in time', 'UND_ERR_CONNECT_TIMEOUT'));
  });
  request.once('error', (error) => callback(error, null));
  // Node tells of it so whatever the status.
  request.once('connect', ({ statusCode = 0 }, stream, head) => {
    const socket = stream as Socket;
    socket.setTimeout(0);
    if (statusCode < 200 || statusCode > 299) {
      socket.destroy();
      callback(failed(`The proxy answered ${statusCode} to CONNECT`, 'ERR_PROXY_TUNNEL'), null);
      return;
    }
    if (head.length > 0) socket.unshift(head);
    if (encrypted) secure({ ...target, httpSocket: socket } as ConnectTarget, callback);
    else callback(null, socket);
  });
  request.end();
}

function failed(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
