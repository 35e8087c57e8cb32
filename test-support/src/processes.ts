import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);
/** Strict: an unhandled rejection ends the process, even if the process listens for unhandled rejections. */
const FLAGS = ['--conditions=@macadam/source', '--no-warnings', '--unhandled-rejections=strict'];

export interface RunOptions {
  /** Additional flags of Node, such as `--expose-gc`. */
  readonly flags?: readonly string[];
  /** Arguments of the script. */
  readonly args?: readonly string[];
  /** Default: 30 s, far more than a script needs unless something keeps it alive. */
  readonly timeoutMs?: number;
}

/**
 * Runs a script in a process of its own until it ends by itself, and resolves to its output. Rejects if it fails, or if
 * something keeps it alive beyond the timeout.
 */
export async function runScript(path: string, { flags = [], args = [], timeoutMs }: RunOptions = {}): Promise<string> {
  return await runNode([...flags, path, ...args], process.cwd(), timeoutMs);
}

/** Runs the text of a script, whose imports are resolved from `folder`. */
export async function runText(text: string, folder: string): Promise<string> {
  return await runNode(['--input-type=module-typescript', '--eval', text], folder);
}

async function runNode(args: readonly string[], cwd: string, timeoutMs = 30_000): Promise<string> {
  const options = { cwd, timeout: timeoutMs, maxBuffer: 2 ** 26 };
  const { stdout } = await execute(process.execPath, [...FLAGS, ...args], options);
  return stdout.trim();
}
