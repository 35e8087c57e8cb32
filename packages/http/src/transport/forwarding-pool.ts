import {
  type Connect,
  type Connections,
  type ConnectionStats,
  type DispatchHandler,
  type DispatchOptions,
} from '../dispatcher.ts';
import { hasHeader } from '../headers.ts';
import { ConnectionPool } from './connection-pool.ts';
import type { Proxy } from './proxy.ts';
import { proxyAuthorization } from './proxy-handshakes.ts';

/** The connections to a proxy that forwards requests. Each request carries its absolute URL (RFC 9112, section 3.2.2). */
export class ForwardingPool implements Connections {
  readonly #pool: ConnectionPool;
  readonly #proxyHeaders: readonly string[];

  constructor(proxy: Proxy, connect: Connect, timeoutMs: number) {
    this.#pool = new ConnectionPool({ origin: `http://${proxy.host}`, connect, timeoutMs });
    const authorization = proxyAuthorization(proxy);
    this.#proxyHeaders = authorization === undefined ? [] : ['proxy-authorization', authorization];
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    const origin = options.origin as string;
    const headers = options.headers as string[];
    const hostHeader = hasHeader(headers, 'host') ? [] : ['host', new URL(origin).host];
    const allHeaders = [...headers, ...hostHeader, ...this.#proxyHeaders];
    return this.#pool.dispatch({ ...options, path: origin + options.path, headers: allHeaders }, receiver);
  }

  get stats(): ConnectionStats {
    return this.#pool.stats;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
