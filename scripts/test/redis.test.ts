import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ping, withRedis } from '../redis.ts';

let server: Server | undefined;
afterEach(() => void server?.close());

/** A server that answers what it hears with these lines, and what it heard. */
async function fakeRedis(
  answer: (heard: string, socket: Socket) => void,
): Promise<{ port: number; heard: () => string }> {
  let heard = '';
  server = createServer((socket) => {
    socket.on('error', () => {});
    socket.setEncoding('utf8').on('data', (text: string) => answer((heard += text), socket));
  });
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, heard: () => heard };
}

describe('ping', () => {
  it('resolves with the reply', async () => {
    const { port, heard } = await fakeRedis((_, socket) => socket.write('+PONG\r\n'));
    expect(await ping('127.0.0.1', port)).toBe('+PONG');
    expect(heard()).toBe('*1\r\n$4\r\nPING\r\n');
  });

  it('logs in first when there is a password', async () => {
    const { port, heard } = await fakeRedis((_, socket) => socket.write('+OK\r\n+PONG\r\n'));
    expect(await ping('127.0.0.1', port, '', 's%20cret')).toBe('+PONG');
    expect(heard()).toBe('*3\r\n$4\r\nAUTH\r\n$7\r\ndefault\r\n$6\r\ns cret\r\n*1\r\n$4\r\nPING\r\n');
  });

  it('waits for a complete line', async () => {
    const { port } = await fakeRedis((_, socket) => {
      socket.write('+PO');
      socket.write('NG\r\n');
    });
    expect(await ping('127.0.0.1', port)).toBe('+PONG');
  });

  it('rejects when nothing listens on the port', async () => {
    await expect(ping('127.0.0.1', 1)).rejects.toThrow('ECONNREFUSED');
  });
});

describe('withRedis', () => {
  it('uses REDIS_URL when a Redis replies there', async () => {
    const { port } = await fakeRedis((_, socket) => socket.write('+PONG\r\n'));
    vi.stubEnv('REDIS_URL', `redis://127.0.0.1:${port}/3`);
    expect(await withRedis(async () => process.env['REDIS_URL'])).toBe(`redis://127.0.0.1:${port}/3`);
  });

  it('fails when something else replies there', async () => {
    const { port } = await fakeRedis((_, socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    vi.stubEnv('REDIS_URL', `redis://127.0.0.1:${port}`);
    await expect(withRedis(async () => 1)).rejects.toThrow('no Redis responds there (HTTP/1.1 400 Bad Request)');
  });
});
