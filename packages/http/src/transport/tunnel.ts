import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import type { Clock } from '@macadam/core';
import type { Connect, ConnectTarget } from '../dispatcher.ts';
import { codeOf } from '../failure-code.ts';
import { handshakeWith, type Handshake } from './handshakes.ts';
import { withoutBrackets } from './ip-address.ts';
import { ownFault } from './own-faults.ts';
import type { Proxy } from './proxy.ts';
import { ProxyFailure } from './proxy-failure.ts';

const BROKEN_CODES: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE']);

/** How tunnels are made. */
export interface TunnelOptions {
  /** Connects to the proxy itself. */
  readonly reach: (proxy: Proxy, callback: Parameters<Connect>[1]) => void;
  /** In milliseconds, until it can be used: opened by the proxy, and encrypted where it is to be. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Finds, and checks, the address on this side; undefined when the proxy is given the name. */
  readonly lookup: LookupFunction | undefined;
  /** Encrypts what goes through the tunnel. */
  readonly secure: Connect;
}

/** Connects through a proxy, which is asked for a connection and then only passes bytes on. */
export function tunnel(options: TunnelOptions): (proxy: Proxy, ...rest: Parameters<Connect>) => void {
  return (proxy, target, callback) => new Opening(options, proxy, target, callback).start();
}

/** One tunnel, until it is open or has failed. Whatever else happens then comes too late. */
class Opening {
  readonly #options: TunnelOptions;
  readonly #proxy: Proxy;
  readonly #target: ConnectTarget;
  readonly #callback: Parameters<Connect>[1];
  readonly #timer: { cancel(): void };
  #socket: Socket | undefined;
  #waitsFor: 'address' | 'proxy' | 'encryption' = 'address';
  #over = false;

  constructor(options: TunnelOptions, proxy: Proxy, target: ConnectTarget, callback: Parameters<Connect>[1]) {
    this.#options = options;
    this.#proxy = proxy;
    this.#target = target;
    this.#callback = callback;
    this.#timer = options.clock.setTimer(() => this.#timedOut(), options.timeoutMs);
  }

  start(): void {
    const { lookup } = this.#options;
    const host = withoutBrackets(this.#target.hostname);
    if (lookup === undefined || isIP(host) !== 0) {
      this.#ask([host]);
      return;
    }
    this.#attempt(() => {
      lookup(host, { all: true }, (error, addresses) => {
        if (this.#over) return;
        if (error !== null) this.#fail(error);
        else this.#ask(oneOfEachFamily(addresses as LookupAddress[]));
      });
    });
  }

  /** @param hosts - where to, in turn when the proxy cannot connect there: it may have no IPv6, say */
  #ask(hosts: readonly string[]): void {
    const { protocol, port } = this.#target;
    const [host = '', ...others] = hosts;
    const destination = { host, port: Number(port) || (protocol === 'https:' ? 443 : 80) };
    this.#waitsFor = 'proxy';
    this.#attempt(() => {
      this.#options.reach(this.#proxy, (error, socket) => {
        if (this.#over) socket?.destroy();
        else if (error !== null) this.#fail(error);
        else this.#shakeHands(socket, handshakeWith(this.#proxy, destination), others);
      });
    });
  }

  #shakeHands(socket: Socket, handshake: Handshake, others: readonly string[]): void {
    this.#socket = socket;
    let received: Buffer = Buffer.alloc(0);
    const read = (): void => {
      for (let piece = socket.read() as Buffer | null; piece !== null; piece = socket.read() as Buffer | null) {
        received = Buffer.concat([received, piece]);
      }
      while (!this.#over) {
        const step = handshake.step(received);
        if (step.next === 'read') return;
        if (step.next === 'fail') {
          release();
          if (step.code === 'ERR_PROXY_UNAVAILABLE' && others.length > 0) {
            socket.destroy();
            this.#ask(others);
          } else this.#fail(new ProxyFailure(this.#proxy.host, step.why, step.code));
          return;
        }
        received = received.subarray(step.used);
        if (step.next === 'open') {
          release();
          if (received.length > 0) socket.unshift(received);
          this.#opened(socket);
          return;
        }
        if (step.bytes.length > 0) socket.write(step.bytes);
      }
    };
    const broken = (error?: Error | boolean): void => {
      const cause = error instanceof Error ? error : undefined;
      this.#fail(new ProxyFailure(this.#proxy.host, 'closed the connection it was asked for', 'ECONNRESET', cause));
    };
    const release = (): void => {
      socket.off('readable', read).off('error', broken).off('end', broken).off('close', broken);
    };
    socket.on('readable', read).on('error', broken).on('end', broken).on('close', broken);
    socket.write(handshake.opening);
  }

  #opened(socket: Socket): void {
    if (this.#target.protocol !== 'https:') {
      this.#end();
      this.#callback(null, socket);
      return;
    }
    this.#waitsFor = 'encryption';
    this.#attempt(() => {
      this.#options.secure({ ...this.#target, httpSocket: socket } as ConnectTarget, (error, secured) => {
        if (this.#over) secured?.destroy();
        else if (error !== null) this.#fail(this.#inTunnel(error));
        else {
          this.#end();
          this.#callback(null, secured);
        }
      });
    });
  }

  /** What the proxy passed on is the target's, such as its certificate. That it passes nothing on any more it may be to blame for. */
  #inTunnel(error: Error): Error {
    if (!BROKEN_CODES.has(codeOf(error))) return error;
    return new ProxyFailure(this.#proxy.host, 'closed the tunnel before it was encrypted', codeOf(error), error);
  }

  /** A resolver of the caller's may throw, and so does TLS over a certificate that it cannot read. */
  #attempt(step: () => void): void {
    try {
      step();
    } catch (error) {
      queueMicrotask(() => this.#fail(ownFault(error)));
    }
  }

  #timedOut(): void {
    // In the words of the transport for its own connections.
    const code = 'UND_ERR_CONNECT_TIMEOUT';
    const within = `within ${this.#options.timeoutMs} ms`;
    if (this.#waitsFor === 'proxy') {
      this.#fail(new ProxyFailure(this.#proxy.host, `made no connection ${within}`, code));
      return;
    }
    const what = this.#waitsFor === 'address' ? 'looked up' : 'ready to encrypt';
    this.#fail(Object.assign(new Error(`The host was not ${what} ${within}`), { code }));
  }

  #fail(error: Error): void {
    if (this.#over) return;
    this.#end();
    this.#socket?.destroy();
    this.#callback(error, null);
  }

  #end(): void {
    this.#over = true;
    this.#timer.cancel();
  }
}

function oneOfEachFamily(addresses: readonly LookupAddress[]): string[] {
  const others = addresses.filter(({ family }) => family !== addresses[0]?.family);
  return [...addresses.slice(0, 1), ...others.slice(0, 1)].map(({ address }) => address);
}
