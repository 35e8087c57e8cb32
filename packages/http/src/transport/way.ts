import type { ConnectTarget } from '../dispatcher.ts';
import type { ConnectionSettings } from './connection-options.ts';
import type { Proxy } from './proxy.ts';

/** Which way a connection is made. */
export interface Way {
  readonly target: ConnectTarget;
  /** Undefined when it leads straight to the target. */
  readonly proxy: Proxy | undefined;
  /**
   * Whether the connection ends at the proxy, which is sent the requests themselves and forwards them. That is how proxies
   * expect plain http; many make no tunnels to its ports. Else it is a tunnel, which ends at the target.
   */
  readonly forwards: boolean;
}

export function wayTo(target: ConnectTarget, settings: ConnectionSettings): Way {
  const { proxies, blockPrivate, lookup, resolve } = settings;
  const proxy = proxies(target);
  // Where the address is found on this side the proxy is asked for that: a request to forward would give it the name.
  const resolvesHere = blockPrivate || lookup !== undefined || resolve !== undefined;
  return { target, proxy, forwards: proxy?.kind === 'http' && target.protocol === 'http:' && !resolvesHere };
}

/** To whom it may be shown. */
export function describeWay({ proxy, forwards }: Way): string {
  if (proxy === undefined) return '';
  if (forwards) return ` to the proxy ${proxy.host}`;
  return ` through ${proxy.kind === 'socks5' ? 'the SOCKS' : 'tunnels of the'} proxy ${proxy.host}`;
}
