// A proxy between a client and a real server that replaces INCREX by a script with the documented behaviour, and forwards everything
// else, since no packaged server that the tests can install has INCREX. It cannot show whether a server that has the command behaves
// as documented.
import { connect, createServer, type Socket } from 'node:net';

/** `INCREX key BYFLOAT n UBOUND n PX ms ENX`, the only form in use. Above the bound nothing changes, not even the time to live. */
const INCREX = `
local stored = redis.call('GET', KEYS[1])
local current = tonumber(stored or '0')
if not current then return redis.error_reply('ERR value is not a valid float') end
local sum = current + tonumber(ARGV[1])
if sum > tonumber(ARGV[2]) then return { stored or '0', '0' } end
local text = string.format('%.17f', sum)
redis.call('SET', KEYS[1], text, 'KEEPTTL')
if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return { text, ARGV[1] }
`;

export interface IncrexStandIn {
  readonly url: string;
  /** How many commands were INCREX. */
  readonly counted: () => number;
  close(): Promise<void>;
}

export async function startIncrexStandIn(target: string): Promise<IncrexStandIn> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let counted = 0;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    upstream.pipe(client);
    let rest = '';
    client.on('data', (data) => {
      const { commands, left } = commandsIn(rest + data.toString('latin1'));
      rest = left;
      for (const words of commands) {
        if (words[0] === 'INCREX') counted++;
        upstream.write(encoded(words[0] === 'INCREX' ? replaced(words) : words), 'latin1');
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `redis://127.0.0.1:${(server.address() as { port: number }).port}`,
    counted: () => counted,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function replaced([, key, ...options]: string[]): string[] {
  const form = options.filter((_, i) => [0, 2, 4, 6].includes(i)).join(' ');
  if (form !== 'BYFLOAT UBOUND PX ENX') throw new Error(`The stand-in does not know this form: ${options.join(' ')}`);
  const [, increment, , bound, , ttlMs] = options as [string, string, string, string, string, string];
  return ['EVAL', INCREX, '1', key as string, increment, bound, ttlMs];
}

/** The whole commands of a text, each an array of bulk strings as clients send them, and what is left of it. */
function commandsIn(text: string): { commands: string[][]; left: string } {
  const commands: string[][] = [];
  let at = 0;
  for (;;) {
    const begun = at;
    const line = (): string | undefined => {
      const end = text.indexOf('\r\n', at);
      if (end < 0) return undefined;
      const found = text.slice(at, end);
      at = end + 2;
      return found;
    };
    const head = line();
    const words: string[] = [];
    for (let i = Number(head?.slice(1)); i > 0; i--) {
      const length = Number(line()?.slice(1));
      if (!(at + length + 2 <= text.length)) return { commands, left: text.slice(begun) };
      words.push(text.slice(at, at + length));
      at += length + 2;
    }
    if (head === undefined) return { commands, left: text.slice(begun) };
    commands.push(words);
  }
}

function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;
}
