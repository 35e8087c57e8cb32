// Starts all processes of the scripts, so that none outlives the run.
//
// The layers are npm -> bootstrap -> task -> (vitest, redis-server, the example ...). A signal may reach all of them
// (Ctrl-C in a terminal), or only the outermost. So each layer starts its children in process groups of their own,
// passes a signal on once, waits, and kills what is left of a group after a grace period.
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { constants } from 'node:os';

/** Thrown by `start` and `run` while the run is being stopped; nobody reports it. */
export class Stopped extends Error {
  /** @override */
  name = 'Stopped';
}

/** @typedef {{ cwd?: string, env?: Record<string, string | undefined>, output?: 'inherit' | 'capture', ipc?: boolean, graceMs?: number, timeoutMs?: number }} RunOptions */
/** @typedef {{ code: number, signal: NodeJS.Signals | null, output: string, stdout: string }} RunResult */
/** @typedef {{ started: number } | { ended: number }} GroupMessage */
/** @typedef {{ pid: number, result: Promise<RunResult>, stop: (signal?: NodeJS.Signals) => Promise<void> }} Running */

const groups = process.platform !== 'win32';
/** @type {Map<number, { graceMs: number }>} */
const liveGroups = new Map();
/** @type {Set<string>} */
const temporaryFolders = new Set();
/** @type {NodeJS.Signals | undefined} */
let stopSignal;
let reportsToParent = false;

/**
 * Starts a process in its own process group. `output: 'capture'` collects stdout and stderr in the result.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Running}
 */
export function start(command, args, options = {}) {
  if (stopSignal !== undefined) throw new Stopped();
  const { output = 'inherit', graceMs = 4_000 } = options;
  const stream = output === 'capture' ? 'pipe' : 'inherit';
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: options.ipc === true ? ['ignore', stream, stream, 'ipc'] : ['ignore', stream, stream],
    detached: groups,
  });
  const pid = child.pid ?? 0;
  if (pid > 0) {
    liveGroups.set(pid, { graceMs });
    reportToParent({ started: pid });
  }
  /** The process groups that the child has started, as it reports them. @type {Set<number>} */
  const descendantGroups = new Set();
  child.on('message', (/** @type {GroupMessage} */ message) => {
    if ('started' in message) descendantGroups.add(message.started);
    if ('ended' in message) descendantGroups.delete(message.ended);
  });
  let allOutput = '';
  let stdout = '';
  child.stdout?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    allOutput += text;
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
    allOutput += text;
  });
  const timeout =
    options.timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          allOutput += `\nstopped: still running after ${options.timeoutMs} ms\n`;
          signalGroup(pid, 'SIGKILL');
        }, options.timeoutMs);
  /** @type {Promise<RunResult>} */
  const result = new Promise((resolve, reject) => {
    child.once('error', (error) => {
      clearTimeout(timeout);
      liveGroups.delete(pid);
      reject(new Error(`cannot start ${command}: ${error.message}`));
    });
    child.once('exit', (code, signal) => {
      clearTimeout(timeout);
      // A child that was killed with SIGKILL could not stop its own children.
      for (const group of descendantGroups) signalGroup(group, 'SIGKILL');
      const end = () => {
        if (stopSignal === undefined) liveGroups.delete(pid);
        reportToParent({ ended: pid });
        resolve({
          code: code ?? 128 + (constants.signals[signal ?? 'SIGKILL'] ?? 0),
          signal,
          output: allOutput,
          stdout,
        });
      };
      if (stopSignal === undefined) signalGroup(pid, 'SIGKILL');
      // A grandchild that left the group may hold the pipe open for ever; the output of the child has arrived by then.
      const closeTimeout = setTimeout(end, 1_000);
      child.once('close', () => {
        clearTimeout(closeTimeout);
        end();
      });
    });
  });
  result.catch(() => {});
  return {
    pid,
    result,
    async stop(signal = 'SIGTERM') {
      await stopGroups([pid], signal);
    },
  };
}

/**
 * Runs a process to its end. While the run is being stopped the promise does not settle: the process exits first.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {RunOptions} [options]
 * @returns {Promise<RunResult>}
 */
export async function run(command, args, options = {}) {
  const result = await start(command, args, options).result;
  if (stopSignal !== undefined) await new Promise(() => {});
  return result;
}

/**
 * Registers a folder that is removed when the process ends, however it ends.
 * @param {string} path
 * @returns {string}
 */
export function temporaryFolder(path) {
  temporaryFolders.add(path);
  return path;
}

/**
 * Installs the handlers: SIGINT, SIGTERM, SIGHUP and the loss of the parent end all children, then this process.
 * @param {() => void | Promise<void>} [last] runs after the children have ended
 */
export function endChildrenOnStop(last = () => {}) {
  /** @param {NodeJS.Signals} signal */
  const stop = async (signal) => {
    // Ctrl-C arrives twice: from the terminal and, a moment later, from npm.
    if (stopSignal !== undefined) return;
    stopSignal = signal;
    await stopGroups([...liveGroups.keys()], signal);
    await last();
    process.exit(128 + (constants.signals[signal] ?? 15));
  };
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']))
    process.on(signal, () => void stop(signal));
  if (process.channel) {
    reportsToParent = true;
    process.on('disconnect', () => void stop('SIGTERM'));
    process.channel.unref();
  }
  // An npm that is killed passes on no signal; this process then gets another parent.
  if (process.env['npm_lifecycle_event'] !== undefined && process.channel === undefined && process.ppid !== 1) {
    const parent = process.ppid;
    setInterval(() => process.ppid !== parent && void stop('SIGTERM'), 500).unref();
  }
  // When the reader of the output goes away (`npm test | head`), the run stops as if the terminal was closed.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => void stop('SIGHUP'));
  process.on('exit', () => {
    for (const pid of liveGroups.keys()) signalGroup(pid, 'SIGKILL');
    for (const path of temporaryFolders) rmSync(path, { recursive: true, force: true });
  });
}

/** @param {GroupMessage} message */
function reportToParent(message) {
  if (reportsToParent && process.connected) process.send?.(message);
}

/**
 * @param {number[]} pids
 * @param {NodeJS.Signals} signal
 */
async function stopGroups(pids, signal) {
  await Promise.all(
    pids.map(async (pid) => {
      const deadline = process.uptime() * 1_000 + (liveGroups.get(pid)?.graceMs ?? 0);
      signalGroup(pid, signal);
      while (groupIsAlive(pid) && process.uptime() * 1_000 < deadline)
        await new Promise((done) => setTimeout(done, 25));
      signalGroup(pid, 'SIGKILL');
      liveGroups.delete(pid);
    }),
  );
}

/**
 * @param {number} pid
 * @param {NodeJS.Signals | 0} signal
 */
function signalGroup(pid, signal) {
  if (pid <= 0) return false;
  try {
    return process.kill(groups ? -pid : pid, signal);
  } catch {
    return false;
  }
}

/** @param {number} group */
function groupIsAlive(group) {
  if (!signalGroup(group, 0)) return false;
  if (process.platform !== 'linux') return true;
  // A zombie process, which no parent reaps (in a container without an init), still accepts signal 0.
  return processes().some(({ pgrp, state }) => pgrp === group && state !== 'Z' && state !== 'X');
}

/** The processes of a Linux machine: pid, state and process group. */
function processes() {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // "pid (command) state ppid pgrp ...", where the command may hold spaces and parentheses.
        const [state = '', , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), state, pgrp: Number(pgrp) }];
      } catch {
        return [];
      }
    });
}

/**
 * Kills every process with `marker` in its environment: the last resort for processes that have left their group (Linux
 * only).
 * @param {string} marker such as `NAME=value`
 */
export function killMarked(marker) {
  if (process.platform !== 'linux') return;
  for (const { pid, state } of processes()) {
    if (pid === process.pid || state === 'Z') continue;
    try {
      if (readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(marker)) process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended, or belongs to another user.
    }
  }
}
