import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { closeClients } from './client-helpers.ts';

/** A certificate or key of the tests. */
export const pem = (name: string): Buffer => readFileSync(new URL(`./certificates/${name}.pem`, import.meta.url));
export const ca: Buffer = pem('ca');
export const serverTls: { readonly cert: Buffer; readonly key: Buffer } = {
  cert: pem('server'),
  key: pem('server.key'),
};

/** Functions that {@link closeAll} calls in reverse order. */
export const cleanUp: (() => unknown)[] = [];
/** Closes everything that a test has opened, its clients included. */
export async function closeAll(): Promise<void> {
  for (const close of cleanUp.splice(0).reverse()) await close();
  await closeClients();
}

/** Starts `server`, which {@link closeAll} closes with all its sockets; resolves to its port. */
export async function listening<S extends Server>(server: S): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** An https server that responds with the name in the client certificate. */
export async function httpsServer(
  options: ServerOptions = {},
): Promise<{ url: string; port: number; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createHttpsServer({ ...serverTls, ...options }, (request, response) => {
    requests.push(request);
    const peer = (request.socket as TLSSocket).getPeerCertificate();
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ peer: peer.subject?.CN ?? null }));
  });
  const port = await listening(server);
  return { url: `https://localhost:${port}`, port, requests };
}

/** Resolves in the next turn of the event loop: undici reuses a connection one turn after its last response. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
