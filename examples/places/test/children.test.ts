import { afterEach, expect, test } from 'vitest';
import { endChildren, startChild } from '../src/children.ts';

afterEach(endChildren);

test('a child says when it is ready, answers, and is asked in vain once it is gone', async () => {
  const child = await startChild<{ url: string; names: string[] }>('gazetteer.ts', ['--port', '0']);
  expect(child.ready.names.length).toBeGreaterThan(1_000);
  expect(await child.ask({ weather: 'healthy' })).toEqual({ requests: 0 });

  const response = await fetch(`${child.ready.url}/places/reykjavik`);
  expect(await response.json()).toMatchObject({ places: [{ name: 'Reykjavík', country: 'IS' }] });
  expect(await child.ask({ weather: 'resets' })).toEqual({ requests: 1 });
  await expect(fetch(`${child.ready.url}/places/reykjavik`)).rejects.toThrow('fetch failed');

  await child.end();
  await expect(child.ask({ weather: 'calm' })).rejects.toThrow('gazetteer.ts ended too early (SIGKILL)');
});
