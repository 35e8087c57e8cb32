import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { resetSocket } from './reset-socket.ts';

/**
 * A TCP listener that can stop listening and come back on the same port, and that knows every socket it accepted, so
 * that closing it always settles.
 */
export class FaultListener {
  readonly sockets: Set<Socket> = new Set();
  readonly #server: Server;
  readonly #host: string;
  #port = 0;
  #wanted = false;
  #working: Promise<void> | undefined;

  constructor(host: string, onConnection: (socket: Socket) => void, onDisconnect: () => void) {
    this.#host = host;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
      this.sockets.add(socket);
      // What a peer does to its end of the connection is its business; without a listener it would end the process.
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
    return this.#wanted;
  }

  /** @throws the system's error, such as EADDRINUSE. */
  async open(port: number): Promise<void> {
    this.#port = port;
    await this.setListening(true);
  }

  /** Listens or not. Stopping also resets every connection, as the end of a process does. The last call wins. */
  setListening(wanted: boolean): Promise<void> {
    this.#wanted = wanted;
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    return this.#working;
  }

  resetConnections(): void {
    for (const socket of this.sockets) resetSocket(socket);
  }

  async #work(): Promise<void> {
    while (this.#server.listening !== this.#wanted) {
      if (this.#wanted) {
        this.#server.listen(this.#port, this.#host);
        await once(this.#server, 'listening');
        this.#port = (this.#server.address() as AddressInfo).port;
      } else {
        const closed = [...this.sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)));
        const drained = once(this.#server, 'close');
        this.#server.close();
        this.resetConnections();
        await drained;
        await Promise.all(closed);
      }
    }
  }
}
