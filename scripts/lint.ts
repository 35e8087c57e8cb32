// Runs ESLint, Prettier and the layer check.
import { join } from 'node:path';
import { checkLayers } from './check-layers.ts';
import { check, CheckFailed } from './programs.ts';
import { root } from './workspace.ts';

const eslintCache = join(root, 'node_modules', '.cache', 'eslint');

export async function lint(): Promise<void> {
  const violations = checkLayers(root);
  const results = await Promise.allSettled([
    check('eslint', ['.', '--max-warnings=0', '--cache', `--cache-location=${eslintCache}/`]),
    check('prettier', ['--check', '.', '--log-level=warn', '--cache']),
  ]);
  const messages = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason.message)] : []));
  if (violations.length > 0) messages.push(violations.join('\n'));
  if (messages.length > 0) throw new CheckFailed(messages.join('\n\n'));
}

export async function format(): Promise<void> {
  await check('prettier', ['--write', '.', '--log-level=warn']);
  await check('eslint', ['.', '--fix']);
}
