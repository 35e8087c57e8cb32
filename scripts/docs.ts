// The documentation site (see site/): makes it, and checks or serves it.
import { join } from 'node:path';
import { findChromium } from './chromium.ts';
import { CheckFailed, program, programEnv, runAndShow } from './programs.ts';
import { root } from './workspace.ts';

/** Makes the site, out of the sources; `--serve [port]` shows it on this machine, `--check` fails when something is wrong with it. */
export async function docs(args: readonly string[]): Promise<void> {
  const chromium = args.includes('--check') ? await findChromium() : {};
  const run = args.includes('--serve') ? program : runAndShow;
  const { code } = await run('node', ['src/main.ts', ...args], {
    cwd: join(root, 'site'),
    env: { ...programEnv(), NODE_OPTIONS: '--disable-warning=ExperimentalWarning', ...chromium },
  });
  if (code !== 0) throw new CheckFailed('The documentation site is not as it should be.');
}
