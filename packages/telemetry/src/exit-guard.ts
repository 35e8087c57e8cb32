/**
 * Runs tasks before the process ends, by `process.exit` or by a signal. A logger whose destination is blocked registers
 * here, so that its last lines are written. While no task is registered, the process has no listener of this file.
 */

/** Work that must be done before the process ends. */
export interface ExitTask {
  /** Does what can be done without waiting, and unregisters the task when nothing is left. Must not throw. */
  resume(): void;
  /** Called when the process ends for certain: gives up what is left undone, and reports it. Must not throw. */
  abandon(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Marks the signal listeners of every copy of this package, which do not count as the application handling the signal. */
const OURS = Symbol.for('macadam.telemetry.exit-guard');
/** Maximum wait of all tasks together at the end of the process. */
const EXIT_LIMIT_MS = 1_000;
const PAUSE_MS = 10;
/** Never written or notified: `Atomics.wait` on it blocks the thread for the given time. */
const neverNotified = new Int32Array(new SharedArrayBuffer(4));

const tasks = new Set<ExitTask>();
let listening = false;
let hasExited = false;
let leftMs = EXIT_LIMIT_MS;

/** At the end of the process, runs the task at once, since no listener would be called any more. */
export function registerExitTask(task: ExitTask): void {
  tasks.add(task);
  if (isExiting()) {
    finishAll();
    return;
  }
  if (listening) return;
  listening = true;
  process.on('exit', onExit);
  // Before the listeners of the application: Node removes those that are called once before it calls them.
  for (const signal of SIGNALS) process.prependListener(signal, onSignal);
}

/**
 * The listeners are removed one turn of the event loop later: a signal that arrived while the last line was written is
 * delivered in the next turn. Without a listener at that point the signal would be lost, and the process would not end.
 */
export function unregisterExitTask(task: ExitTask): void {
  if (!tasks.delete(task) || tasks.size > 0) return;
  // eslint-disable-next-line no-restricted-globals -- A turn of the event loop of this process, which no clock stands for.
  setImmediate(() => {
    if (tasks.size === 0) removeListeners();
  }).unref();
}

/** Calls `resume` until it returns true or the limit has passed, and blocks the thread in between. */
export function blockUntil(resume: () => boolean, limitMs: number): void {
  for (let waitedMs = 0; !resume() && waitedMs < limitMs; waitedMs += PAUSE_MS) pause();
}

/** The pauses are counted, since a clock may be virtual. */
function pause(): void {
  Atomics.wait(neverNotified, 0, 0, PAUSE_MS);
}

function onExit(): void {
  hasExited = true;
  finishAll();
}

/** Can be called inside of itself, when a task that is resumed logs a line that blocks: both share the limit. */
function finishAll(): void {
  for (; !resumeAll() && leftMs > 0; leftMs -= PAUSE_MS) pause();
  for (const task of tasks) task.abandon();
}

function resumeAll(): boolean {
  for (const task of tasks) task.resume();
  return tasks.size === 0;
}

function onSignal(signal: NodeJS.Signals): void {
  // Our listener disables Node's default of ending the process. If the application has none of its own, end it here; else
  // the process goes on, and the lines are written meanwhile or on `exit`.
  if (!process.listeners(signal).every((listener) => OURS in listener)) return;
  finishAll();
  removeListeners();
  process.kill(process.pid, signal);
}
Object.defineProperty(onSignal, OURS, { value: true });

function removeListeners(): void {
  listening = false;
  process.off('exit', onExit);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}

/**
 * Whether the listeners of `exit` are being called, or have been. If ours is not among them, only this property of Node tells,
 * which has no public name. Where it is missing, lines that block for the first time in an `exit` listener are lost.
 */
function isExiting(): boolean {
  return hasExited || (process as { _exiting?: boolean })._exiting === true;
}
