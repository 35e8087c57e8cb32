import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { noBackoffClient } from './client-helpers.ts';
import { cleanUp, closeAll, listening, nextTurn } from './loopback.ts';

afterEach(closeAll);

/** Passes each connection with a request on it to `respond`. */
async function serverThat(respond: (socket: Socket) => unknown): Promise<string> {
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => respond(socket));
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

/** Splits `message` at the given fractions of its length. */
function pieces(message: Buffer, fractions: readonly number[]): Buffer[] {
  const cuts = fractions.map((fraction) => Math.floor(fraction * message.length)).sort((a, b) => a - b);
  return [...cuts, message.length].map((end, i) => message.subarray(i === 0 ? 0 : cuts[i - 1], end));
}

function chunked(body: Buffer, sizes: readonly number[]): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < body.length; i++) {
    const chunk = body.subarray(at, (at += sizes[i % sizes.length] as number));
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n'));
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')]);
}

describe('sockets that share a read buffer', () => {
  test('do not mix responses that arrive in pieces, one connection between the pieces of another', async () => {
    const fractions = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    const sent = fc.array(fc.record({ size: fc.integer({ min: 0, max: 3000 }), fractions }), {
      minLength: 2,
      maxLength: 5,
    });
    let waiting: Socket[] = [];
    const client = noBackoffClient({ baseUrl: await serverThat((socket) => waiting.push(socket)), retry: false });
    await fc.assert(
      fc.asyncProperty(sent, async (responses) => {
        waiting = [];
        const received = responses.map(() => client.get('/'));
        while (waiting.length < responses.length) await nextTurn();
        const bodies = responses.map(({ size }) => randomBytes(size));
        const queues = responses.map(({ fractions: at }, i) => {
          const body = bodies[i] as Buffer;
          const head = `HTTP/1.1 200 OK\r\nx-name: ${String(i).repeat(40)}\r\ncontent-length: ${body.length}\r\n\r\n`;
          return pieces(Buffer.concat([Buffer.from(head), body]), at);
        });
        for (let turn = 0; queues.some((queue) => turn < queue.length); turn++) {
          for (const [i, queue] of queues.entries()) if (turn < queue.length) waiting[i]?.write(queue[turn] as Buffer);
          await nextTurn();
          await nextTurn();
        }
        for (const response of await Promise.all(received)) {
          const name = response.headers.get('x-name') as string;
          const i = Number(name[0]);
          expect(name).toBe(String(i).repeat(40));
          expect(Buffer.compare(response.bytes(), bodies[i] as Buffer)).toBe(0);
        }
      }),
      { numRuns: 40 },
    );
  });

  test('pass on every byte once to a reader that is slower than the server', async () => {
    const setup = fc.record({
      sizes: fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 5 }),
      pauses: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 }),
      length: fc.integer({ min: 0, max: 700_000 }),
      ending: fc.constantFrom('chunked', 'length', 'close'),
    });
    await fc.assert(
      fc.asyncProperty(setup, async ({ sizes, pauses, length, ending }) => {
        const body = randomBytes(length);
        const url = await serverThat((socket) => {
          const field = ending === 'length' ? `content-length: ${length}\r\n` : '';
          const head = ending === 'chunked' ? 'transfer-encoding: chunked\r\n' : field;
          socket.write(`HTTP/1.1 200 OK\r\n${head}\r\n`);
          socket.write(ending === 'chunked' ? chunked(body, sizes) : body);
          if (ending === 'close') socket.end();
        });
        const client = noBackoffClient({ baseUrl: url });
        const response = await client.stream('GET', '/');
        const received: Uint8Array[] = [];
        for await (const chunk of response.body) {
          received.push(chunk as Uint8Array);
          for (let i = pauses[received.length % pauses.length] as number; i > 0; i--) await nextTurn();
        }
        expect(Buffer.compare(Buffer.concat(received), body)).toBe(0);
        await closeAll();
      }),
      { numRuns: 25 },
    );
  });

  test('stop reading while the reader of a body does', async () => {
    const total = 64 * 1_048_576;
    let socketOfServer: Socket | undefined;
    const url = await serverThat((socket) => {
      socketOfServer = socket;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${total}\r\n\r\n`);
      socket.write(Buffer.alloc(total));
    });
    const { body } = await noBackoffClient({ baseUrl: url }).stream('GET', '/', { maxBytes: total });
    let unsent = -1;
    while (unsent !== socketOfServer?.writableLength) {
      unsent = socketOfServer?.writableLength as number;
      for (let i = 0; i < 50; i++) await nextTurn();
    }
    // What is missing is in the buffers of the system.
    expect(unsent).toBeGreaterThan(total / 2);
    let size = 0;
    for await (const chunk of body) size += (chunk as Uint8Array).length;
    expect(size).toBe(total);
  });

  test('are read through their streams for the parser of undici that depends on what a stream does', async () => {
    const milo = createRequire(import.meta.url)('undici/lib/dispatcher/parser-h1.js') as {
      setMiloEnabled(isEnabled: boolean): void;
    };
    milo.setMiloEnabled(true);
    cleanUp.push(() => milo.setMiloEnabled(false));
    const message = Buffer.from('HTTP/1.1 200 OK\r\nx-name: value\r\ncontent-length: 5\r\n\r\nhello');
    const url = await serverThat(async (socket) => {
      for (let at = 0; at < message.length; at += 7) {
        socket.write(message.subarray(at, at + 7));
        await nextTurn();
      }
    });
    const client = noBackoffClient({ baseUrl: url, retry: false, timeoutMs: 2000 });
    for (const path of ['/first', '/second']) expect((await client.get(path)).text()).toBe('hello');
  });

  test('leave the memory of a small body to whoever keeps or transfers it', async () => {
    const url = await serverThat((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-type: a/b\r\ncontent-length: 5\r\n\r\nhello'),
    );
    const client = noBackoffClient({ baseUrl: url });
    const response = await client.get('/');
    const { body } = await client.stream('GET', '/');
    const [chunk] = (await body.toArray()) as Uint8Array[];
    for (const bytes of [response.bytes(), response.data as Uint8Array, chunk as Uint8Array]) {
      expect(bytes.buffer.byteLength).toBe(5);
    }
    const bytes = response.bytes();
    const moved = structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] });
    expect(Buffer.from(moved).toString()).toBe('hello');
  });
});
