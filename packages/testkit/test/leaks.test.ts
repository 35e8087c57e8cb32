import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { hang, refuse, slow, startFaultProxy, startFaultServer, virtualClock } from '@macadam/testkit';
import { expect, test } from 'vitest';

/** Handles that keep the process alive, pipes to the test runner left out. */
const handles = (): string[] =>
  process
    .getActiveResourcesInfo()
    .filter((name) => /TCP|Timeout/.test(name))
    .sort();

test('a server and a proxy that are closed leave no socket, no listener and no timer', async () => {
  await turn();
  const before = handles();
  for (let round = 0; round < 5; round++) {
    const upstream = await startFaultServer({
      faults: [{ fault: [slow(600_000), hang()] }, { fault: refuse(), when: { fromMs: 600_000 } }],
    });
    const proxy = await startFaultProxy({ target: upstream.url });
    const clients = [connect(proxy.port), connect(upstream.port), connect(proxy.port)];
    const closed = clients.map((client) => {
      client.on('error', () => undefined);
      client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
      return new Promise((resolve) => client.once('close', resolve));
    });
    await upstream.waitForRequests(3);
    await Promise.all([proxy.close(), upstream.close()]);
    await Promise.all(closed);
  }
  // A handle is let go of in the turn of the event loop after its close.
  await turn();
  expect(handles()).toEqual(before);
});

test('a clock that is driven hard keeps nothing', async () => {
  const clock = virtualClock();
  const controller = new AbortController();
  const drive = async (rounds: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const timeout = clock.setTimer(() => {}, 30_000);
      await clock.sleep(1, controller.signal);
      timeout.cancel();
    }
  };
  await clock.runUntil(drive(5_000));
  gc!();
  const before = process.memoryUsage().heapUsed;
  await clock.runUntil(drive(50_000));
  gc!();
  // A cancelled timer that stayed would cost some 150 bytes: 7 MB in all.
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(2_000_000);
  clock.assertNoTimers();
});
