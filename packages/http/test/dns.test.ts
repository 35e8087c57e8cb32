import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { resolveByDns } from '../src/transport/ttl-resolver.ts';
import { cleanUp, closeAll } from './loopback.ts';

afterEach(closeAll);

const A = 1;
const AAAA = 28;
const SERVFAIL = 2;
const NXDOMAIN = 3;

/** A DNS server that Node uses until the end of the test. Responds, by type, with a code or addresses and TTLs in seconds. */
async function dnsServer(
  resolve: (type: number) => number | readonly [address: number[], ttl: number][],
): Promise<void> {
  const socket = createSocket('udp4');
  socket.on('message', (query, { port, address }) => {
    const nameEnd = query.indexOf(0, 12) + 1;
    const result = resolve(query.readUInt16BE(nameEnd));
    const records = typeof result === 'number' ? [] : result;
    const head = Buffer.from(query.subarray(0, nameEnd + 4));
    head.writeUInt16BE(0x8180 + (typeof result === 'number' ? result : 0), 2);
    head.writeUInt16BE(records.length, 6);
    head.fill(0, 8, 12);
    const body = records.map(([bytes, ttl]) => {
      const record = Buffer.alloc(12);
      record.writeUInt16BE(0xc00c, 0);
      record.writeUInt16BE(bytes.length === 4 ? A : AAAA, 2);
      record.writeUInt16BE(1, 4);
      record.writeUInt32BE(ttl, 6);
      record.writeUInt16BE(bytes.length, 10);
      return Buffer.concat([record, Buffer.from(bytes)]);
    });
    socket.send(Buffer.concat([head, ...body]), port, address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const originalServers = dns.getServers();
  dns.setServers([`127.0.0.1:${socket.address().port}`]);
  cleanUp.push(() => {
    dns.setServers(originalServers);
    socket.close();
  });
}

const four: [number[], number] = [[192, 0, 2, 1], 300];
const six: [number[], number] = [[0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 1], 60];

test('resolves both address families, IPv4 first, each with its TTL', async () => {
  await dnsServer((type) => (type === A ? [four] : [six]));
  expect(await resolveByDns('a.example')).toEqual([
    { address: '192.0.2.1', ttlMs: 300_000 },
    { address: '2001:db8::1', ttlMs: 60_000 },
  ]);
});

test('resolves a name with addresses of one family only', async () => {
  await dnsServer((type) => (type === A ? [four] : []));
  expect(await resolveByDns('a.example')).toEqual([{ address: '192.0.2.1', ttlMs: 300_000 }]);
});

test('when the query for one family fails, uses the other for 5 s only', async () => {
  await dnsServer((type) => (type === A ? SERVFAIL : [six]));
  expect(await resolveByDns('a.example')).toEqual([{ address: '2001:db8::1', ttlMs: 5_000 }]);
});

test.each([SERVFAIL, NXDOMAIN])(
  'a name that DNS does not resolve (code %i) is resolved by the operating system',
  async (code) => {
    await dnsServer(() => code);
    const found = await resolveByDns('localhost');
    expect(found.map(({ address }) => address)).toContain('127.0.0.1');
  },
);
