import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, it } from 'vitest';
import { resetSocket } from './reset-socket.ts';

async function pair(): Promise<{ socket: Socket; ended: Promise<string> }> {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const ended = new Promise<string>((resolve) => {
    peer.resume().once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    peer.once('end', () => resolve('in good order'));
  });
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  return { socket, ended };
}

it('resets the connection, which the peer sees at once', async () => {
  const { socket, ended } = await pair();
  resetSocket(socket);
  await once(socket, 'close');
  expect(await ended).toBe('ECONNRESET');
});

it.each([0, 1, 1_048_576 * 16])('closes a socket whose end() is pending after %i bytes', async (bytes) => {
  const { socket } = await pair();
  socket.end(Buffer.alloc(bytes));
  resetSocket(socket);
  await once(socket, 'close');
  expect(socket.destroyed).toBe(true);
});
