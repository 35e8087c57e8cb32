/**
 * Runs tasks before the process ends, by `process.exit` or by a signal. A logger whose destination is blocked registers
 * here, so that its last lines are written. While no task is registered, the process has no listener of this file.
 */

/** Work that must be done before the process ends. */
export interface ExitTask {
  /** Blocks until the work is done or a time limit has passed. Must not throw. */
  finish(): void;
  /** Called when the process ends for certain, after `finish`: reports what is left undone. Must not throw. */
  abandon(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Marks the signal listeners of every copy of this package, which do not count as the application handling the signal. */
const OURS = Symbol.for('macadam.telemetry.exit-guard');

const tasks = new Set<ExitTask>();
let listening = false;

export function registerExitTask(task: ExitTask): void {
  tasks.add(task);
  if (listening) return;
  listening = true;
  process.on('exit', onExit);
  for (const signal of SIGNALS) process.on(signal, onSignal);
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

function finishAll(): void {
  for (const task of tasks) task.finish();
}

function abandonAll(): void {
  for (const task of tasks) task.abandon();
}

function onExit(): void {
  finishAll();
  abandonAll();
}

function onSignal(signal: NodeJS.Signals): void {
  finishAll();
  // Our listener disables Node's default of ending the process. If the application has none of its own, end it here.
  if (process.listeners(signal).every((listener) => OURS in listener)) {
    abandonAll();
    removeListeners();
    process.kill(process.pid, signal);
  }
}
Object.defineProperty(onSignal, OURS, { value: true });

function removeListeners(): void {
  listening = false;
  process.off('exit', onExit);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
