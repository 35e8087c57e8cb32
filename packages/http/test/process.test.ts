import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { functionsForgotten } from '@macadam/test-support/forgotten-code';
import { runScript } from '@macadam/test-support/processes';
import { expect, test } from 'vitest';

/** Classes and functions that every call runs through. */
const CALL_PATH: ReadonlySet<string> = new Set([
  ...['Call', 'Attempt', 'AdmittedRun', 'TimedRun', 'RetryRun', 'GuardedRun', 'start', 'begin', 'succeed', '#settle'],
  ...['AttemptLog', 'ResponseHandler', '#start', '#dispatch', '#finishBody', '#settleWith', '#end', 'setAttempts'],
]);

test('AC30: undici #3975: a call that waits for its next attempt keeps the process alive, and a closed client does not', async () => {
  const script = join(import.meta.dirname, 'process', 'calls-and-ends.ts');
  // The timeouts are a minute: a process kept alive by one of them would be killed by runScript, with an error.
  expect(await runScript(script)).toBe('succeeded at attempt 3');
});

test('garbage collection during an idle time does not discard the compiled code of the client', async () => {
  const script = join(import.meta.dirname, 'process', 'rests-between-calls.ts');
  const names = await functionsForgotten(script);
  expect(names.filter((name) => CALL_PATH.has(name))).toEqual([]);
});

test('every name on the list of the call path is declared, so that none drops out of the check above by a rename', () => {
  const sources = ['http', 'resilience'].flatMap(sourcesOf);
  const isDeclared = (name: string): boolean => {
    const declaration = `(?:export )?(?:class|(?:async )?function) ${name}\\b`;
    const method = `\\s+(?:async )?${name}\\((?:.*\\{)?`;
    const pattern = new RegExp(`^${declaration}|^${method}$`, 'm');
    return sources.some((source) => pattern.test(source));
  };
  expect(Array.from(CALL_PATH).filter((name) => !isDeclared(name))).toEqual([]);
});

test('a package first imported within cancelled work does not join that work, nor keep the process alive', async () => {
  const script = join(import.meta.dirname, 'process', 'is-imported-late.ts');
  expect(await runScript(script)).toBe('imported');
});

function sourcesOf(name: string): string[] {
  const root = join(import.meta.dirname, '..', '..', name, 'src');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(join(root, file), 'utf8'));
}
