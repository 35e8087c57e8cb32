import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serve, type Serving } from '../src/serve.ts';

let folder = '';
let serving: Serving;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'macadam-site-'));
  writeFileSync(join(folder, 'index.html'), 'home');
  serving = await serve(join(folder));
});
afterEach(async () => {
  await serving.close();
  rmSync(folder, { recursive: true });
});

/** As it stands: `fetch` would tidy the path up. */
async function statusOf(path: string, method = 'GET'): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    request(serving.url, { path, method }, (response) => resolve(response.resume().statusCode))
      .once('error', reject)
      .end();
  });
}

it.each([
  ['/', 'GET', 200],
  ['/index.html?from=search', 'GET', 200],
  ['/index.html', 'HEAD', 200],
  ['/index.html', 'POST', 405],
  ['/nothing.html', 'GET', 404],
  ['/../../../../../../etc/passwd', 'GET', 404],
  ['/%2e%2e/%2e%2e/%2e%2e/etc/passwd', 'GET', 404],
  ['/..%2f..%2f..%2fetc%2fpasswd', 'GET', 404],
  ['/%00', 'GET', 404],
  ['/%', 'GET', 404],
  ['//', 'GET', 404],
])('answers %s %s with %i', async (path, method, status) => {
  expect(await statusOf(path, method)).toBe(status);
});
