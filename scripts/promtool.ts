// Finds promtool, which checks the generated alert rules: on PATH, or downloaded from the Debian package of Prometheus.
import { join } from 'node:path';
import { debianPackage } from './debian.ts';
import { onPath } from './toolchain.mjs';

const FILE = 'usr/bin/promtool';

/** Runs `work` with PROMTOOL set, if promtool is available. Without it, the tests that need it are skipped. */
export async function withPromtool<T>(work: () => Promise<T>): Promise<T> {
  if (process.env['PROMTOOL'] !== undefined || onPath('promtool').length > 0) return await work();
  try {
    const { home } = await debianPackage('prometheus', { only: FILE });
    process.env['PROMTOOL'] = join(home, FILE);
  } catch (error) {
    console.log(
      `No promtool, so alert rules are not checked with it: ${error instanceof Error ? error.message : error}`,
    );
  }
  try {
    return await work();
  } finally {
    delete process.env['PROMTOOL'];
  }
}
