// V8 discards compiled code when an object that the code depends on is collected; the first calls after an idle time are then
// slow. A script in a process of its own uses its subject and idles; a test reads which code was discarded meanwhile.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runScript } from './processes.ts';

const IDLE_PERIODS = 4;
const IDLE_MARKER = 'idle';
const packages = join(import.meta.dirname, '..', '..', 'packages');

/** For the script: uses its subject until the code is compiled, then idles while the heap is collected; repeatedly. */
export async function useAndIdle(use: () => Promise<void>): Promise<void> {
  for (let period = 0; period < IDLE_PERIODS; period++) {
    await use();
    console.log(`\n${IDLE_MARKER}`);
    // V8 discards code that depends on dead objects at the third collection.
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate);
      globalThis.gc?.();
    }
  }
}

/**
 * For the test: returns the names out of `hotPath` whose compiled code was discarded. Rejects if one of them is declared in none
 * of `packageNames`: a renamed function would silently drop out of the check.
 */
export async function discardedCode(
  script: string,
  hotPath: readonly string[],
  packageNames: readonly string[],
): Promise<string[]> {
  const sources = packageNames.flatMap(sourcesOf);
  const unknown = hotPath.filter((name) => !sources.some((source) => declares(source, name)));
  if (unknown.length > 0) throw new Error(`Not declared in ${packageNames.join(', ')}: ${unknown.join(', ')}`);
  const output = await runScript(script, { flags: ['--expose-gc', '--trace-deopt'], timeoutMs: 60_000 });
  const turns = output.split(new RegExp(`^${IDLE_MARKER}$`, 'm'));
  if (turns.length !== IDLE_PERIODS + 1)
    throw new Error(`The script idled ${turns.length - 1} times, not ${IDLE_PERIODS}`);
  // Object layouts still change during the first two turns.
  const settled = turns.slice(2).join('');
  const discarded = /marking dependent code .*SharedFunctionInfo ?([^>]*)>.*weak objects/g;
  const names = Array.from(settled.matchAll(discarded), ([, name]) => name as string);
  return names.filter((name) => hotPath.includes(name));
}

function declares(source: string, name: string): boolean {
  const declaration = `(?:export )?(?:class|(?:async )?function) ${name}\\b`;
  const method = `\\s+(?:async )?${name}\\((?:.*\\{)?`;
  return new RegExp(`^${declaration}|^${method}$`, 'm').test(source);
}

function sourcesOf(packageName: string): string[] {
  const root = join(packages, packageName, 'src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'));
}
