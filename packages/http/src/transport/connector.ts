import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@macadam/core';
import { makeConnector, type Connect, type ConnectTarget, type MakeConnection } from '../dispatcher.ts';
import { codeOf } from '../network-failure.ts';
import { AddressBlockedError, guardedLookup } from './address-guard.ts';
import type { ConnectionSettings } from './connection-options.ts';
import type { ConnectionRoute } from './connection-route.ts';
import { isPublicAddress, withoutBrackets } from './ip-address.ts';
import { localFailure, toConnectError } from './local-failures.ts';
import { normalizedLookup } from './normalized-lookup.ts';
import type { Proxy } from './proxy.ts';
import { ProxyError, recordProxySocketErrors } from './proxy-error.ts';
import { makeHttp1Connector } from './socket-reader.ts';
import { trackSocket } from './stale-connections.ts';
import { tunnelConnector } from './tunnel.ts';
import type { TtlResolver } from './ttl-resolver.ts';
import { reuseEqualTlsOptions, type TlsOptions } from './tls.ts';

type ConnectCallback = Parameters<Connect>[1];
/** Makes one connection along a route. */
export type ConnectRoute = (route: ConnectionRoute, callback: ConnectCallback) => void;

interface ConnectorOptions {
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  /** Resolves host names; undefined for the `lookup` of the settings, or that of Node.js. */
  readonly resolver: TtlResolver | undefined;
}

/** Creates the function that makes all connections of a client. It never throws: every failure goes to the callback. */
export function createConnector(settings: ConnectionSettings, options: ConnectorOptions): ConnectRoute {
  const { blockPrivate, tls } = settings;
  const connectRoute =
    typeof tls === 'function'
      ? refreshingTls(reuseEqualTlsOptions(tls), (tlsOptions) => routeConnector(tlsOptions, settings, options))
      : routeConnector(tls, settings, options);
  return (route, callback) => {
    const blocked = blockPrivate ? blockedLiteral(route.target) : undefined;
    if (blocked !== undefined) {
      queueMicrotask(() => callback(blocked, null));
      return;
    }
    try {
      connectRoute(route, (error, socket) => {
        if (error !== null) {
          callback(toConnectError(error), null);
          return;
        }
        trackSocket(socket);
        requireServerPreface(socket, options);
        if (route.kind === 'forward') recordProxySocketErrors(socket, route.proxy.host);
        callback(null, socket);
      });
    } catch (error) {
      queueMicrotask(() => callback(localFailure(error), null));
    }
  };
}

/** Connects with one set of TLS options: TLS sessions are resumed as long as the same connector is used. */
function routeConnector(
  tls: TlsOptions | undefined,
  settings: ConnectionSettings,
  { connectTimeoutMs, clock, resolver }: ConnectorOptions,
): ConnectRoute {
  const given = resolver?.lookup ?? settings.lookup;
  const normalized = given && normalizedLookup(given);
  const lookup = settings.blockPrivate ? guardedLookup(normalized) : normalized;
  const limited = (connect: MakeConnection): Connect => withTimeout(connect, connectTimeoutMs, clock);
  const connectDirectly = limited(makeHttp1Connector({ ...tls, ...(lookup !== undefined && { lookup }) }));
  // Client certificate and server name are for the target; the proxy is only verified against the same authorities.
  const proxyOptions = { ...(tls?.ca !== undefined && { ca: tls.ca }), allowH2: false };
  const connectToForwardProxy = proxyConnector(limited(makeHttp1Connector(proxyOptions)));
  const connectThroughTunnel = tunnelConnector({
    connectToProxy: proxyConnector(limited(makeConnector(proxyOptions))),
    timeoutMs: connectTimeoutMs,
    clock,
    lookup,
    encrypt: connectDirectly,
  });
  return (route, callback) => {
    if (route.kind === 'direct') connectDirectly(route.target, callback);
    else if (route.kind === 'forward') connectToForwardProxy(route.proxy, callback);
    else connectThroughTunnel(route.proxy, route.target, callback);
  };
}

function withTimeout(connect: MakeConnection, timeoutMs: number, clock: Clock): Connect {
  return (target, callback) => {
    const socket = connect(target, (...result) => {
      timer.cancel();
      callback(...result);
    });
    const timer = clock.setTimer(() => {
      const { autoSelectFamilyAttemptedAddresses: tried = [] } = socket;
      const addresses = tried.length === 0 ? '' : ` (tried: ${tried.join(', ')})`;
      socket.destroy(connectTimeoutError(`Could not connect within ${timeoutMs} ms${addresses}`));
    }, timeoutMs);
  };
}

/**
 * Destroys an HTTP/2 connection on which nothing arrives in time. The server sends SETTINGS first, without waiting for a
 * request (RFC 9113, section 3.4). A reset right after the TLS handshake gets lost between Node's TLS and its HTTP/2: no
 * error is emitted, and nothing is ever read again.
 */
function requireServerPreface(socket: Socket, { connectTimeoutMs, clock }: ConnectorOptions): void {
  if ((socket as TLSSocket).alpnProtocol !== 'h2') return;
  const { bytesRead } = socket;
  const check = (): void => {
    if (!socket.destroyed && socket.bytesRead === bytesRead) {
      const message = `The server sent nothing on a new HTTP/2 connection within ${connectTimeoutMs} ms`;
      socket.destroy(connectTimeoutError(message));
    }
  };
  clock.setTimer(check, connectTimeoutMs).unref?.();
}

/** The code is undici's own for a connect timeout. */
function connectTimeoutError(message: string): Error {
  return Object.assign(new Error(message), { code: 'UND_ERR_CONNECT_TIMEOUT' });
}

/** Connects to a proxy. Its address may be private: `ssrf` restricts targets, whose URLs users may supply, not the configuration. */
function proxyConnector(connect: Connect): (proxy: Proxy, callback: ConnectCallback) => void {
  return ({ hostname, port, isEncrypted, host }, callback) => {
    const servername = isIP(hostname) === 0 ? hostname : undefined;
    const target = { hostname, port: String(port), protocol: isEncrypted ? 'https:' : 'http:', servername };
    connect(target, (error, socket) => {
      if (error === null) callback(null, socket);
      else callback(new ProxyError(host, 'could not be reached', codeOf(error), error), null);
    });
  };
}

/** Reads the TLS options before each connection. While they are the same object, the connector is kept. */
function refreshingTls(source: () => TlsOptions, create: (options: TlsOptions) => ConnectRoute): ConnectRoute {
  let current: TlsOptions | undefined;
  let connect: ConnectRoute | undefined;
  return (route, callback) => {
    const options = source();
    if (connect === undefined || options !== current) {
      connect = create(options);
      current = options;
    }
    connect(route, callback);
  };
}

/**
 * A literal address in the URL is never looked up, so `guardedLookup` does not see it. `URL` has already normalized the other
 * spellings of IPv4, such as `0x7f.1`.
 */
function blockedLiteral({ hostname }: ConnectTarget): AddressBlockedError | undefined {
  const address = withoutBrackets(hostname);
  return isIP(address) !== 0 && !isPublicAddress(address) ? new AddressBlockedError(hostname, address) : undefined;
}
