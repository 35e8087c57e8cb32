// Installs pinned tools through npm into an ignored folder when the machine has none that is new enough.
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { run, temporaryFolder } from './children.mjs';

const pinned = { node: '24.21.0', pnpm: '12.21.0' };

/** The oldest Node line that the packages support; the checks use its newest release. */
export const floorNode = '22.23.3';

/** @param {string} version */
export function isNewEnough(version) {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  return (major === 22 && minor >= 19) || (major === 24 && minor >= 11) || major >= 26;
}

/**
 * The Node that runs the tasks: the current one when it is new enough, else the pinned one.
 * @param {string} root
 */
export async function findNode(root) {
  return isNewEnough(process.version) ? process.execPath : await bringNode(root, pinned.node);
}

/**
 * A Node of exactly this version, from `.tools` or through npm.
 * @param {string} root
 * @param {string} version
 */
export async function bringNode(root, version) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const folder = await bring(root, name, version);
  return join(folder, name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

/**
 * A pnpm of the pinned major version: from `.tools`, from PATH, or through npm.
 * @param {string} root
 */
export async function findPnpm(root) {
  const ours = join(root, '.tools', `pnpm-${pinned.pnpm}`, 'node_modules');
  if (!existsSync(ours)) {
    for (const candidate of onPath('pnpm')) {
      const { code, stdout } = await run(candidate, ['--version'], { cwd: root, output: 'capture' }).catch(() => ({
        code: 1,
        stdout: '',
      }));
      if (code === 0 && stdout.trim().split('.')[0] === pinned.pnpm.split('.')[0]) return candidate;
    }
  }
  const folder = await bring(root, 'pnpm', pinned.pnpm);
  // Its install script, which does not run here, would replace the `pnpm` shell script by the native binary.
  const native = [`${process.platform}-${process.arch}`, `${process.platform}-${process.arch}-musl`]
    .map((target) => join(folder, '@pnpm', `exe.${target}`, 'pnpm'))
    .find((path) => existsSync(path));
  return native ?? join(folder, '.bin', 'pnpm');
}

/**
 * The executables of this name on PATH, in its order.
 * @param {string} command
 */
export function onPath(command) {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, command))
    .filter((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/**
 * @param {string} root
 * @param {string} name
 * @param {string} version
 */
async function bring(root, name, version) {
  const home = join(root, '.tools', `${name}-${version}`);
  const modules = join(home, 'node_modules');
  if (existsSync(modules)) return modules;
  console.log(`Installing ${name} ${version} ...`);
  // Installed into a staging folder and moved at the end, so that an interrupted run leaves nothing half installed.
  const staging = temporaryFolder(`${home}.${process.pid}`);
  mkdirSync(staging, { recursive: true });
  writeFileSync(join(staging, 'package.json'), '{ "private": true }\n');
  const npm = process.env['npm_execpath'];
  const [command, first] = npm?.endsWith('npm-cli.js') ? [process.execPath, [npm]] : ['npm', []];
  const flags = ['--ignore-scripts', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const { code, output } = await run(
    command,
    [...first, 'install', ...flags, `--prefix=${staging}`, `${name}@${version}`],
    {
      cwd: staging,
      output: 'capture',
    },
  );
  if (code !== 0) throw new Error(`npm could not install ${name}@${version}:\n${output.trim()}`);
  try {
    renameSync(staging, home);
  } catch (error) {
    if (!existsSync(modules)) throw error;
    rmSync(staging, { recursive: true, force: true });
  }
  return modules;
}

/**
 * PATH with the folders of these programs in front.
 * @param {readonly string[]} programs
 */
export function pathWith(programs) {
  return [...new Set(programs.map((program) => dirname(program))), process.env['PATH'] ?? ''].join(delimiter);
}
