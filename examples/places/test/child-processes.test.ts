import { afterEach, expect, test } from 'vitest';
import { stopChildren, startChild } from '../src/child-processes.ts';

afterEach(stopChildren);

test('a child reports that it is ready and answers requests; a request after its exit rejects', async () => {
  const child = await startChild<{ url: string; names: string[] }>('gazetteer.ts', ['--port', '0']);
  expect(child.ready.names.length).toBeGreaterThan(1_000);
  expect(await child.request({ condition: 'healthy' })).toEqual({ requests: 0 });

  const response = await fetch(`${child.ready.url}/places/reykjavik`);
  expect(await response.json()).toMatchObject({ places: [{ name: 'Reykjavík', country: 'IS' }] });
  expect(await child.request({ condition: 'resets' })).toEqual({ requests: 1 });
  await expect(fetch(`${child.ready.url}/places/reykjavik`)).rejects.toThrow('fetch failed');

  await child.stop();
  await expect(child.request({ condition: 'healthy' })).rejects.toThrow('gazetteer.ts exited too early (SIGKILL)');
});
