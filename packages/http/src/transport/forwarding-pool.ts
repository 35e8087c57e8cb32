import {
  type Connect,
  type Connections,
  type ConnectionStats,
  type DispatchHandler,
  type DispatchOptions,
} from '../dispatcher.ts';
import { hasHeader } from '../headers.ts';
import { ConnectionPool } from './connection-pool.ts';
import { proxyAuthorization } from './handshakes.ts';
import type { Proxy } from './proxy.ts';

/** Connections to a proxy that is sent requests for others: each carries its whole URL (RFC 9112, section 3.2.2). */
export class ForwardingPool implements Connections {
  readonly #pool: ConnectionPool;
  readonly #authorization: readonly string[];

  constructor(proxy: Proxy, connect: Connect, timeoutMs: number) {
    this.#pool = new ConnectionPool({ origin: `http://${proxy.host}`, connect, timeoutMs });
    const authorization = proxyAuthorization(proxy);
    this.#authorization = authorization === undefined ? [] : ['proxy-authorization', authorization];
  }

  dispatch(options: DispatchOptions, receiver: DispatchHandler): boolean {
    const origin = options.origin as string;
    const given = options.headers as string[];
    const host = hasHeader(given, 'host') ? [] : ['host', new URL(origin).host];
    const headers = [...given, ...host, ...this.#authorization];
    return this.#pool.dispatch({ ...options, path: origin + options.path, headers }, receiver);
  }

  get stats(): ConnectionStats {
    return this.#pool.stats;
  }

  close(): Promise<void> {
    return this.#pool.close();
  }
}
