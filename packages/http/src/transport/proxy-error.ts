/** Attributes connection failures to the proxy that caused them, so that nobody looks for the fault at the target. */
import type { Socket } from 'node:net';

/** Codes of this project: the proxy will not open the tunnel, or cannot open it at the moment. */
export type ProxyRefusalCode = 'ERR_PROXY_TUNNEL' | 'ERR_PROXY_UNAVAILABLE';

/** A connection failed because of a proxy. */
export class ProxyError extends Error {
  /** Not called `code`: after some codes undici reconnects in a loop, as if the target were at fault. */
  readonly errorCode: string;
  /** Host and port of the proxy. */
  readonly proxy: string;

  /**
   * @param what - what the proxy did, to follow its name in the message
   * @param errorCode - what the retry rules decide by
   */
  constructor(proxy: string, what: string, errorCode: string, cause?: unknown) {
    super(`the proxy ${proxy} ${what}`, cause === undefined ? undefined : { cause });
    this.errorCode = errorCode;
    this.proxy = proxy;
  }
}

/** Errors of connections that end at a proxy, with its host: kept beside the errors, which belong to Node or undici. */
const proxyBySocketError = new WeakMap<Error, string>();

/** Attributes the errors of `socket`, which ends at the proxy, to that proxy. */
export function recordProxySocketErrors(socket: Socket, proxy: string): void {
  socket.prependListener('error', (error: Error) => proxyBySocketError.set(error, proxy));
}

/** The proxy that caused `error`, and what it did; undefined when no proxy did. */
export function proxyFault(error: unknown): { readonly proxy: string; readonly what: string } | undefined {
  if (error instanceof ProxyError) return { proxy: error.proxy, what: error.message };
  const proxy = error instanceof Error ? proxyBySocketError.get(error) : undefined;
  return proxy === undefined ? undefined : { proxy, what: `the connection to the proxy ${proxy} broke` };
}
