import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Clock } from '@macadam/core';
import type { Connect, ConnectTarget } from '../dispatcher.ts';
import { codeOf } from '../network-failure.ts';
import { withoutBrackets } from './ip-address.ts';
import { localFailure } from './local-failures.ts';
import type { Proxy } from './proxy.ts';
import { ProxyError } from './proxy-error.ts';
import { proxyHandshake, type ProxyHandshake } from './proxy-handshakes.ts';

const CONNECTION_LOST_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

export interface TunnelOptions {
  /** Connects to the proxy itself. */
  readonly connectToProxy: (proxy: Proxy, callback: Parameters<Connect>[1]) => void;
  /** The limit until the tunnel is open and, for https, encrypted. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Resolves, and checks, the address of the target here; undefined when the proxy resolves the name. */
  readonly lookup: LookupFunction | undefined;
  /** Does the TLS handshake with the target through the tunnel. */
  readonly encrypt: Connect;
}

/** Creates a function that connects through a proxy, which opens a connection to the target and passes bytes on. */
export function tunnelConnector(options: TunnelOptions): (proxy: Proxy, ...rest: Parameters<Connect>) => void {
  return (proxy, target, callback) => new TunnelAttempt(options, proxy, target, callback).start();
}

/** Opens one tunnel. Calls back once; events that come after that are ignored. */
class TunnelAttempt {
  readonly #options: TunnelOptions;
  readonly #proxy: Proxy;
  readonly #target: ConnectTarget;
  readonly #callback: Parameters<Connect>[1];
  readonly #timer: { cancel(): void };
  #socket: Socket | undefined;
  #phase: 'lookup' | 'proxy' | 'encryption' = 'lookup';
  #isSettled = false;

  constructor(options: TunnelOptions, proxy: Proxy, target: ConnectTarget, callback: Parameters<Connect>[1]) {
    this.#options = options;
    this.#proxy = proxy;
    this.#target = target;
    this.#callback = callback;
    this.#timer = options.clock.setTimer(() => this.#onTimeout(), options.timeoutMs);
  }

  start(): void {
    const { lookup } = this.#options;
    const host = withoutBrackets(this.#target.hostname);
    if (lookup === undefined || isIP(host) !== 0) {
      this.#requestTunnel([host]);
      return;
    }
    this.#guarded(() => {
      lookup(host, { all: true }, (error, addresses) => {
        if (this.#isSettled) return;
        if (error !== null) this.#fail(error);
        else this.#requestTunnel(oneOfEachFamily(addresses as LookupAddress[]));
      });
    });
  }

  /** @param hosts - tried in turn while the proxy cannot connect to them: it may have no IPv6, for example */
  #requestTunnel(hosts: readonly string[]): void {
    const { protocol, port } = this.#target;
    const [host = '', ...fallbackHosts] = hosts;
    const destination = { host, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
    this.#phase = 'proxy';
    this.#guarded(() => {
      this.#options.connectToProxy(this.#proxy, (error, socket) => {
        if (this.#isSettled) socket?.destroy();
        else if (error !== null) this.#fail(error);
        else this.#shakeHands(socket, proxyHandshake(this.#proxy, destination), fallbackHosts);
      });
    });
  }

  #shakeHands(socket: Socket, handshake: ProxyHandshake, fallbackHosts: readonly string[]): void {
    this.#socket = socket;
    let received: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) {
        received = Buffer.concat([received, chunk]);
      }
      while (!this.#isSettled) {
        const step = handshake.step(received);
        if (step.next === 'read') return;
        if (step.next === 'fail') {
          removeListeners();
          if (step.code === 'ERR_PROXY_UNAVAILABLE' && fallbackHosts.length > 0) {
            socket.destroy();
            this.#requestTunnel(fallbackHosts);
          } else this.#fail(new ProxyError(this.#proxy.host, step.what, step.code));
          return;
        }
        received = received.subarray(step.consumed);
        if (step.next === 'open') {
          removeListeners();
          if (received.length > 0) socket.unshift(received);
          this.#onOpen(socket);
          return;
        }
        if (step.bytes.length > 0) socket.write(step.bytes);
      }
    };
    const onClosed = (error?: Error | boolean): void => {
      const cause = error instanceof Error ? error : undefined;
      this.#fail(
        new ProxyError(this.#proxy.host, 'closed the connection before the tunnel was open', 'ECONNRESET', cause),
      );
    };
    const removeListeners = (): void => {
      socket.off('readable', onReadable).off('error', onClosed).off('end', onClosed).off('close', onClosed);
    };
    socket.on('readable', onReadable).on('error', onClosed).on('end', onClosed).on('close', onClosed);
    socket.write(handshake.opening);
  }

  #onOpen(socket: Socket): void {
    if (this.#target.protocol !== 'https:') {
      this.#settle();
      this.#callback(null, socket);
      return;
    }
    this.#phase = 'encryption';
    this.#guarded(() => {
      this.#options.encrypt({ ...this.#target, httpSocket: socket } as ConnectTarget, (error, encrypted) => {
        if (this.#isSettled) encrypted?.destroy();
        else if (error !== null) this.#fail(this.#encryptionError(error));
        else {
          this.#settle();
          this.#callback(null, encrypted);
        }
      });
    });
  }

  /** A lost connection may be the fault of the proxy. Anything else, such as a wrong certificate, is the target's. */
  #encryptionError(error: Error): Error {
    if (!CONNECTION_LOST_CODES.has(codeOf(error))) return error;
    return new ProxyError(this.#proxy.host, 'closed the tunnel before it was encrypted', codeOf(error), error);
  }

  /** A `lookup` of the caller may throw, and so does TLS over a certificate that it cannot read. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      queueMicrotask(() => this.#fail(localFailure(error)));
    }
  }

  #onTimeout(): void {
    // The code of undici for its own connect timeouts.
    const code = 'UND_ERR_CONNECT_TIMEOUT';
    const within = `within ${this.#options.timeoutMs} ms`;
    if (this.#phase === 'proxy') {
      this.#fail(new ProxyError(this.#proxy.host, `made no connection ${within}`, code));
      return;
    }
    const message =
      this.#phase === 'lookup'
        ? `The host name was not resolved ${within}`
        : `There was no TLS connection to the host ${within}`;
    this.#fail(Object.assign(new Error(message), { code }));
  }

  #fail(error: Error): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#socket?.destroy();
    this.#callback(error, null);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#timer.cancel();
  }
}

function oneOfEachFamily(addresses: readonly LookupAddress[]): string[] {
  const otherFamily = addresses.filter(({ family }) => family !== addresses[0]?.family);
  return [...addresses.slice(0, 1), ...otherFamily.slice(0, 1)].map(({ address }) => address);
}
