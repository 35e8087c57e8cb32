import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { makeConnector, type Connect, type ConnectTarget } from '../dispatcher.ts';
import { AddressBlockedError, guardedLookup, isPublicAddress } from './address-guard.ts';
import type { ConnectionSettings } from './connection-options.ts';
import { answering } from './lookup.ts';
import { watchSocket } from './reused-sockets.ts';
import { tunnel } from './tunnel.ts';
import type { TtlResolver } from './ttl-resolver.ts';
import { assertTlsOptions, type TlsOptions } from './tls.ts';

/** Makes the connections of a pool: with the addresses checked, the certificates fresh, and the socket watched; through a tunnel where there is a proxy. */
export function connector(settings: ConnectionSettings, connectTimeoutMs: number, names?: TtlResolver): Connect {
  const { blockPrivate, proxy, tls } = settings;
  const resolver = names?.lookup ?? settings.lookup;
  const own = resolver && answering(resolver);
  const lookup = blockPrivate ? guardedLookup(own) : own;
  const direct = (options: TlsOptions | undefined): Connect =>
    makeConnector({ ...options, timeout: connectTimeoutMs, ...(lookup !== undefined && { lookup }) });
  const base = (options: TlsOptions | undefined): Connect =>
    proxy === false
      ? direct(options)
      : tunnel({
          proxy,
          tls: options,
          timeoutMs: connectTimeoutMs,
          lookup: lookup ?? (systemLookup as LookupFunction),
          secure: direct(options),
        });
  const secured = typeof tls === 'function' ? renewing(tls, base) : base(tls);
  return (target, callback) => {
    const blocked = blockPrivate ? blockedLiteral(target) : undefined;
    if (blocked !== undefined) {
      queueMicrotask(() => callback(blocked, null));
      return;
    }
    secured(target, (error, socket) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      watchSocket(socket);
      callback(null, socket);
    });
  };
}

/** Asks for the options before each connection; as long as it is given the same object, TLS sessions are resumed. */
function renewing(source: () => TlsOptions, make: (options: TlsOptions) => Connect): Connect {
  let last: TlsOptions | undefined;
  let connect: Connect | undefined;
  return (target, callback) => {
    try {
      const options = source();
      if (connect === undefined || options !== last) {
        assertTlsOptions(options, 'tls()');
        connect = make(options);
        last = options;
      }
    } catch (error) {
      queueMicrotask(() => callback(error as Error, null));
      return;
    }
    connect(target, callback);
  };
}

/** An address in the URL is not looked up, so it is checked here. `URL` has undone the odd spellings of IPv4. */
function blockedLiteral({ hostname }: ConnectTarget): AddressBlockedError | undefined {
  const address = hostname.replace(/^\[|\]$/g, '');
  return isIP(address) !== 0 && !isPublicAddress(address) ? new AddressBlockedError(hostname, address) : undefined;
}
