import { isIP, type Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '@macadam/core';
import { makeConnector, type Connect, type ConnectTarget } from '../dispatcher.ts';
import { codeOf } from '../failure-code.ts';
import { AddressBlockedError, guardedLookup } from './address-guard.ts';
import type { ConnectionSettings } from './connection-options.ts';
import { isPublicAddress, withoutBrackets } from './ip-address.ts';
import { answering } from './lookup.ts';
import { asError, ownFault } from './own-faults.ts';
import type { Proxy } from './proxy.ts';
import { ProxyFailure, watchProxySocket } from './proxy-failure.ts';
import { watchSocket } from './reused-sockets.ts';
import { tunnel } from './tunnel.ts';
import type { TtlResolver } from './ttl-resolver.ts';
import { steadily, type TlsOptions } from './tls.ts';
import type { Way } from './way.ts';

type Connected = Parameters<Connect>[1];
/** Makes one connection. */
export type ConnectAlong = (way: Way, callback: Connected) => void;

interface ConnectorOptions {
  /** In milliseconds. */
  readonly connectTimeoutMs: number;
  readonly clock: Clock;
  /** Looks names up; without it that is up to the settings. */
  readonly names: TtlResolver | undefined;
}

/** Makes the connections of a client: with the addresses checked, the certificates fresh, and the socket watched. */
export function connector(settings: ConnectionSettings, options: ConnectorOptions): ConnectAlong {
  const { blockPrivate, tls } = settings;
  const secured =
    typeof tls === 'function'
      ? renewing(steadily(tls), (own) => connectingWith(own, settings, options))
      : connectingWith(tls, settings, options);
  return (way, callback) => {
    const blocked = blockPrivate ? blockedLiteral(way.target) : undefined;
    if (blocked !== undefined) {
      queueMicrotask(() => callback(blocked, null));
      return;
    }
    try {
      secured(way, (error, socket) => {
        if (error !== null) {
          callback(asError(error), null);
          return;
        }
        watchSocket(socket);
        expectGreeting(socket, options);
        if (way.forwards) watchProxySocket(socket, (way.proxy as Proxy).host);
        callback(null, socket);
      });
    } catch (error) {
      queueMicrotask(() => callback(ownFault(error), null));
    }
  };
}

function connectingWith(
  tls: TlsOptions | undefined,
  { blockPrivate, ...settings }: ConnectionSettings,
  { connectTimeoutMs, clock, names }: ConnectorOptions,
): ConnectAlong {
  const resolver = names?.lookup ?? settings.lookup;
  const own = resolver && answering(resolver);
  const lookup = blockPrivate ? guardedLookup(own) : own;
  const within = (options: object): Connect => limited(makeConnector(options), connectTimeoutMs, clock);
  const direct = within({ ...tls, ...(lookup !== undefined && { lookup }) });
  const reach = reaching(within({ ...(tls?.ca !== undefined && { ca: tls.ca }), allowH2: false }));
  const through = tunnel({ reach, timeoutMs: connectTimeoutMs, clock, lookup, secure: direct });
  return ({ target, proxy, forwards }, callback) => {
    if (proxy === undefined) direct(target, callback);
    else if (forwards) reach(proxy, callback);
    else through(proxy, target, callback);
  };
}

/** Gives up what is not connected in time. */
function limited(connect: ReturnType<typeof makeConnector>, timeoutMs: number, clock: Clock): Connect {
  return (target, callback) => {
    const socket = connect(target, (...result) => {
      timer.cancel();
      callback(...result);
    });
    const timer = clock.setTimer(() => {
      const { autoSelectFamilyAttemptedAddresses: tried = [] } = socket;
      const where = tried.length === 0 ? '' : ` (tried: ${tried.join(', ')})`;
      socket.destroy(tooLate(`There was no connection within ${timeoutMs} ms${where}`));
    }, timeoutMs);
  };
}

/**
 * A server of HTTP/2 speaks first (RFC 9113, section 3.4). One that does not is gone: a reset that comes as TLS has just been
 * agreed on gets lost between Node's TLS and its HTTP/2, and then nobody is told, and nothing more is ever read.
 */
function expectGreeting(socket: Socket, { connectTimeoutMs, clock }: ConnectorOptions): void {
  if ((socket as TLSSocket).alpnProtocol !== 'h2') return;
  const { bytesRead } = socket;
  const judge = (): void => {
    if (!socket.destroyed && socket.bytesRead === bytesRead) {
      socket.destroy(tooLate(`The server said nothing on a new connection of HTTP/2 within ${connectTimeoutMs} ms`));
    }
  };
  clock.setTimer(judge, connectTimeoutMs).unref?.();
}

/** As the transport says it. */
function tooLate(message: string): Error {
  return Object.assign(new Error(message), { code: 'UND_ERR_CONNECT_TIMEOUT' });
}

/** Connects to a proxy. Its name is looked up as ever: it is not where the request goes, and may well be private. */
function reaching(connect: Connect): (proxy: Proxy, callback: Connected) => void {
  return ({ hostname, port, encrypted, host }, callback) => {
    const servername = isIP(hostname) === 0 ? hostname : undefined;
    const target = { hostname, port: String(port), protocol: encrypted ? 'https:' : 'http:', servername };
    connect(target, (error, socket) => {
      if (error === null) callback(null, socket);
      else callback(new ProxyFailure(host, 'could not be reached', codeOf(error), error), null);
    });
  };
}

/** Asks for the options before each connection; as long as it is given the same object, TLS sessions are resumed. */
function renewing(source: () => TlsOptions, make: (options: TlsOptions) => ConnectAlong): ConnectAlong {
  let last: TlsOptions | undefined;
  let connect: ConnectAlong | undefined;
  return (way, callback) => {
    const options = source();
    if (connect === undefined || options !== last) {
      connect = make(options);
      last = options;
    }
    connect(way, callback);
  };
}

/** An address in the URL is not looked up, so it is checked here. `URL` has undone the odd spellings of IPv4. */
function blockedLiteral({ hostname }: ConnectTarget): AddressBlockedError | undefined {
  const address = withoutBrackets(hostname);
  return isIP(address) !== 0 && !isPublicAddress(address) ? new AddressBlockedError(hostname, address) : undefined;
}
