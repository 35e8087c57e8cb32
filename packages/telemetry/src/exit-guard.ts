/** Something that must be written before the process ends. */
export interface Unfinished {
  /** Blocks until done or given up; must not throw. */
  finish(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Marks the handlers of every copy of this package: they alone do not mean that the application handles a signal. */
const OURS = Symbol.for('macadam.telemetry.exit-guard');

const unfinished = new Set<Unfinished>();

/** While there is something unfinished, and no longer, the process has handlers of ours. */
export function guardExit(one: Unfinished): void {
  if (unfinished.size === 0) {
    process.on('exit', finishAll);
    for (const signal of SIGNALS) process.on(signal, onSignal);
  }
  unfinished.add(one);
}

export function releaseExit(one: Unfinished): void {
  if (unfinished.delete(one) && unfinished.size === 0) removeHandlers();
}

function finishAll(): void {
  for (const one of unfinished) one.finish();
}

function onSignal(signal: NodeJS.Signals): void {
  finishAll();
  // Without our handler the signal would have ended the process; with a handler of the application it is its decision.
  if (process.listeners(signal).every((listener) => OURS in listener)) {
    removeHandlers();
    process.kill(process.pid, signal);
  }
}
Object.defineProperty(onSignal, OURS, { value: true });

function removeHandlers(): void {
  process.off('exit', finishAll);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
