// Builds, checks or serves the documentation site (see site/).
import { join } from 'node:path';
import { findChromium } from './chromium.ts';
import { CheckFailed, program, programEnv, runAndShow } from './programs.ts';
import { root } from './workspace.ts';

/** Builds the site from the sources. `--serve [port]` serves it on this machine; `--check` fails when it has errors. */
export async function docs(args: readonly string[]): Promise<void> {
  const chromium = args.includes('--check') ? await findChromium() : {};
  const run = args.includes('--serve') ? program : runAndShow;
  const { code } = await run('node', ['src/main.ts', ...args], {
    cwd: join(root, 'site'),
    env: { ...programEnv(), NODE_OPTIONS: '--disable-warning=ExperimentalWarning', ...chromium },
  });
  if (code !== 0) throw new CheckFailed('The documentation site has errors; see above.');
}
