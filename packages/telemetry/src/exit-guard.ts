/** Something that must be written before the process ends. */
export interface Unfinished {
  /** Blocks until done or given up; must not throw. */
  finish(): void;
  /** What is not done by now never will be; must not throw. */
  abandon(): void;
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** Marks the handlers of every copy of this package: they alone do not mean that the application handles a signal. */
const OURS = Symbol.for('macadam.telemetry.exit-guard');

const unfinished = new Set<Unfinished>();
let guarding = false;

/** While there is something unfinished, and a turn of the event loop longer, the process has handlers of ours. */
export function guardExit(one: Unfinished): void {
  unfinished.add(one);
  if (guarding) return;
  guarding = true;
  process.on('exit', onExit);
  for (const signal of SIGNALS) process.on(signal, onSignal);
}

/**
 * A signal that came while the last line was written is delivered in the next turn, and would be lost if the handler was
 * gone by then: neither we nor the system would end the process.
 */
export function releaseExit(one: Unfinished): void {
  if (!unfinished.delete(one) || unfinished.size > 0) return;
  // eslint-disable-next-line no-restricted-globals -- A turn of the event loop of this process, which no clock stands for.
  setImmediate(() => {
    if (unfinished.size === 0) removeHandlers();
  }).unref();
}

function finishAll(): void {
  for (const one of unfinished) one.finish();
}

function abandonAll(): void {
  for (const one of unfinished) one.abandon();
}

function onExit(): void {
  finishAll();
  abandonAll();
}

function onSignal(signal: NodeJS.Signals): void {
  finishAll();
  // Without our handler the signal would have ended the process; with a handler of the application it is its decision.
  if (process.listeners(signal).every((listener) => OURS in listener)) {
    abandonAll();
    removeHandlers();
    process.kill(process.pid, signal);
  }
}
Object.defineProperty(onSignal, OURS, { value: true });

function removeHandlers(): void {
  guarding = false;
  process.off('exit', onExit);
  for (const signal of SIGNALS) process.off(signal, onSignal);
}
