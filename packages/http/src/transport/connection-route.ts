import type { ConnectTarget } from '../dispatcher.ts';
import type { ConnectionSettings } from './connection-options.ts';
import type { Proxy } from './proxy.ts';

/**
 * How a connection reaches its target:
 * - `direct`: without a proxy;
 * - `forward`: the connection ends at the proxy, which is sent the requests and forwards them. Proxies expect this for plain
 *   http; many open no tunnels to its ports;
 * - `tunnel`: the proxy passes bytes on to the target.
 */
export type ConnectionRoute =
  | { readonly kind: 'direct'; readonly target: ConnectTarget }
  | { readonly kind: 'forward' | 'tunnel'; readonly target: ConnectTarget; readonly proxy: Proxy };

export function connectionRoute(target: ConnectTarget, settings: ConnectionSettings): ConnectionRoute {
  const { selectProxy, blockPrivate, lookup, resolve } = settings;
  const proxy = selectProxy(target);
  if (proxy === undefined) return { kind: 'direct', target };
  // A forwarded request carries the host name, which the proxy would resolve itself. When the client must resolve it, only a
  // tunnel will do: it can be requested for an address.
  const resolvesHere = blockPrivate || lookup !== undefined || resolve !== undefined;
  const isForwarded = proxy.kind === 'http' && target.protocol === 'http:' && !resolvesHere;
  return { kind: isForwarded ? 'forward' : 'tunnel', target, proxy };
}

/** The proxy part of `describe()`; contains no credentials. Empty for a direct connection. */
export function describeRoute(route: ConnectionRoute): string {
  if (route.kind === 'direct') return '';
  const { kind, proxy } = route;
  if (kind === 'forward') return ` to the proxy ${proxy.host}`;
  return ` through ${proxy.kind === 'socks5' ? 'the SOCKS' : 'tunnels of the'} proxy ${proxy.host}`;
}
