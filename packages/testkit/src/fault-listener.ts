import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { resetSocket } from './reset-socket.ts';

/**
 * A TCP listener that can stop and resume listening on the same port. It keeps track of every socket it accepted, so that
 * it can close them all.
 */
export class FaultListener {
  readonly sockets: Set<Socket> = new Set();
  readonly #server: Server;
  readonly #host: string;
  #port = 0;
  #shouldListen = false;
  #transition: Promise<void> = Promise.resolve();

  constructor(host: string, onConnection: (socket: Socket) => void, onDisconnect: () => void) {
    this.#host = host;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.sockets.add(socket);
      // A reset by the peer is expected here. Without a listener, the error event would end the process.
      socket.on('error', () => undefined);
      socket.once('close', () => {
        this.sockets.delete(socket);
        onDisconnect();
      });
      onConnection(socket);
    });
  }

  get port(): number {
    return this.#port;
  }

  get listening(): boolean {
    return this.#shouldListen;
  }

  /** @throws the error of the system, such as EADDRINUSE. */
  async open(port: number): Promise<void> {
    this.#port = port;
    await this.setListening(true);
  }

  /** Starts or stops listening. Stopping resets all connections, as the end of a process does. The last of several calls wins. */
  setListening(shouldListen: boolean): Promise<void> {
    this.#shouldListen = shouldListen;
    const apply = (): Promise<void> => this.#applyState();
    this.#transition = this.#transition.then(apply, apply);
    return this.#transition;
  }

  resetConnections(): void {
    for (const socket of this.sockets) resetSocket(socket);
  }

  async #applyState(): Promise<void> {
    while (this.#server.listening !== this.#shouldListen) {
      if (this.#shouldListen) {
        this.#server.listen(this.#port, this.#host);
        await once(this.#server, 'listening');
        this.#port = (this.#server.address() as AddressInfo).port;
      } else {
        const socketsClosed = [...this.sockets].map(
          (socket) => new Promise((resolve) => socket.once('close', resolve)),
        );
        const serverClosed = once(this.#server, 'close');
        this.#server.close();
        this.resetConnections();
        await serverClosed;
        await Promise.all(socketsClosed);
      }
    }
  }
}
