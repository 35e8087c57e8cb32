import type { Socket } from 'node:net';

/** Codes of this project for what a proxy answers: it will not make this connection, or could not make it now. */
export type ProxyRefusal = 'ERR_PROXY_TUNNEL' | 'ERR_PROXY_UNAVAILABLE';

/** A connection that was not made because of a proxy, lest the fault be looked for where the request was to go. */
export class ProxyFailure extends Error {
  /** Not `code`: after some the transport would connect again and again, as if the fault were with the target. */
  readonly errorCode: string;
  /** Host and port of the proxy. */
  readonly proxy: string;

  /**
   * @param what - what the proxy did
   * @param errorCode - what a decision about another try is made by
   */
  constructor(proxy: string, what: string, errorCode: string, cause?: unknown) {
    super(`the proxy ${proxy} ${what}`, cause === undefined ? undefined : { cause });
    this.errorCode = errorCode;
    this.proxy = proxy;
  }
}

/** Failures of connections that end at a proxy, and which: kept beside the errors, which are the transport's. */
const onProxySocket = new WeakMap<Error, string>();

/** Marks what `socket`, which ends at the proxy with this host and port, fails with. */
export function watchProxySocket(socket: Socket, proxy: string): void {
  socket.prependListener('error', (error: Error) => onProxySocket.set(error, proxy));
}

/** Which proxy is to blame for a failure, and what it did; undefined when it is none. */
export function blamedProxy(error: unknown): { readonly proxy: string; readonly what: string } | undefined {
  if (error instanceof ProxyFailure) return { proxy: error.proxy, what: error.message };
  const proxy = error instanceof Error ? onProxySocket.get(error) : undefined;
  return proxy === undefined ? undefined : { proxy, what: `the connection to the proxy ${proxy} broke` };
}
